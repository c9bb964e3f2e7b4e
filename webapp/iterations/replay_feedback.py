"""Real feedback played again: the marks that people gave some model's answers become labels, the rounds as they were.

A file whose rows carry a ``round`` is played round by round; any other in portions of as many rows as the plan says.
"""

import gzip
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retriever.rows import parse_json
from webapp import home
from webapp.corpus.importing import ImportResult, import_file
from webapp.errors import Invalid
from webapp.models import Project

KEPT = ("id", "question", "context", "prediction", "feedback", "title")


def is_feedback(path: Path) -> bool:
    """Whether the file's first readable row is a mark of an answer rather than a gold row."""
    first = next((row for row in _rows(path) if row is not None), {})
    return "feedback" in first and "prediction" in first


def read_rounds(path: Path, per_round: int) -> list[list[dict[str, Any]]]:
    """The rows of each round, in order. Raises :class:`Invalid` for a file without a row."""
    rows = [row for row in _rows(path) if row is not None]
    if not rows:
        raise Invalid(
            f"{path.name} has no row of feedback: each needs a question, a context, a prediction and feedback."
        )
    numbers = sorted({row["round"] for row in rows if isinstance(row.get("round"), int)})
    if numbers and all(isinstance(row.get("round"), int) for row in rows):
        return [[row for row in rows if row["round"] == number] for number in numbers]
    return [rows[first : first + per_round] for first in range(0, len(rows), per_round)]


def _rows(path: Path) -> Iterator[dict[str, Any] | None]:
    """Every line as an object; None for one that is not."""
    content = path.read_bytes()
    try:
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig", errors="replace")
    except (OSError, EOFError) as error:
        raise Invalid(f"{path.name} is not a whole gzip file ({error}); compress it again.") from error
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except ValueError:
            value = None
        yield value if isinstance(value, dict) else None


def label_round(project: Project, rows: list[dict[str, Any]]) -> ImportResult:
    """Import one round's marks; those that are there already are passed over."""
    folder = home.project_folder(project.id)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"replay-{uuid.uuid4().hex}.jsonl"
    lines = (json.dumps({name: row[name] for name in KEPT if name in row}) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")
    try:
        return import_file(path, project=project, kind="feedback")
    finally:
        path.unlink()
