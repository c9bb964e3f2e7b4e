"""Which lessons a project switches on, what they draw on, and what an iteration learned from in the end."""

import hashlib
from pathlib import Path
from typing import Any

from sqlalchemy import select

from training.lessons import Lessons, Material
from webapp.datasets.files import read_lines, read_passed_over, read_preferences, read_rejects, write_lines
from webapp.iterations import progress
from webapp.models import Document, Iteration, Passage, Project, db
from webapp.projects.settings import ProjectSettings

CORPUS_AT_MOST = 3000
"""Passages a warm-up draws on, chosen by hash: far more than its practice rows need."""
CORPUS_FILE = "corpus.jsonl"


def switched_on(settings: ProjectSettings) -> Lessons:
    return Lessons(
        rehearsal=settings.rehearsal == "on", abstention=settings.abstention == "on", variations=settings.variations, passed_over=settings.passed_over,
        rejects=settings.rejects == "on", preferences=settings.preferences, warm_up=settings.warm_up == "on", similarity=settings.similarity == "on",
    )  # fmt: skip


def only_practice(settings: ProjectSettings) -> Lessons:
    """Of an iteration without labels: practice on the corpus, with starting data if the project mixes it in."""
    return Lessons(rehearsal=settings.rehearsal == "on", warm_up=True, only_warm_up=True, similarity=False)


def lessons_of(iteration: Iteration) -> Lessons:
    """Those it was started with; an iteration from before there was a switch did without it, but for starting data and abstentions."""
    return Lessons(**{"similarity": False, **iteration.config.get("lessons", {})})


def gather(project: Project, lessons: Lessons, *, dataset: Path, folder: Path) -> Material:
    """What ``lessons`` draw on: rows of the frozen dataset's training split, and for a warm-up the corpus as it is now, kept in the
    iteration's ``folder`` so that a later attempt practises on the same."""
    return Material(
        rejects=tuple(read_rejects(dataset, "train")) if lessons.rejects else (),
        passed_over=tuple(read_passed_over(dataset, at_most=lessons.passed_over)) if lessons.passed_over else (),
        preferences=tuple(read_preferences(dataset, "train")) if lessons.preferences != "off" else (),
        passages=tuple(_corpus_once(project, folder)) if lessons.warm_up else (),
    )


def _corpus_once(project: Project, folder: Path) -> list[str]:
    path = folder / CORPUS_FILE
    if not path.exists():
        alive = select(Passage.id, Passage.text).join(Document)
        rows = db.session.execute(alive.where(Passage.project_id == project.id, Document.deleted_at.is_(None))).all()
        chosen = sorted(rows, key=lambda row: hashlib.sha256(row.text.encode()).digest())[:CORPUS_AT_MOST]
        write_lines(path, ({"passage": row.id, "text": row.text} for row in chosen))
    return [row["text"] for row in read_lines(path)]


def summarise(folder: Path) -> dict[str, Any]:
    """What the run wrote down about its lessons: rows learned from by kind, what came of the preference pass and of judging by likeness, and
    which weights were kept: an average of so many states, mixed with a share of the base's."""
    points = progress.read_log(folder)
    rows = {key[5:]: int(value) for point in points for key, value in point.items() if key.startswith("rows_")}
    preferences = {key[11:]: value for point in points for key, value in point.items() if key.startswith("preference_")}
    similarity = {key[11:]: value for point in points for key, value in point.items() if key.startswith("similarity_")}
    kept = next((point for point in reversed(points) if "base_share" in point), None)
    return {
        "rows": rows,
        **({"preferences": preferences} if preferences else {}),
        **({"similarity": similarity} if similarity else {}),
        **({"weights": {"averaged": int(kept["averaged"]), "base_share": kept["base_share"]}} if kept else {}),
    }
