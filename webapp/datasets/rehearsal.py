"""Some of the base model's own starting data goes into every dataset, so that learning the new does not unlearn the old."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.split import split_of
from training.types import Example, Gold, Target
from webapp.datasets.examples import Evaluation
from webapp.errors import Damaged

FILE = "rehearsal.jsonl"
FIELDS = {"text", "passage", "target", "answerable"}
SHARE = 2  # rehearsal rows per row made from labels ...
AT_LEAST = 256  # ... and at least this many, so that sixty labels do not bend a model out of shape
VALIDATION_SHARE = 2  # rehearsal rows per labelled validation row: more would choose the state that learned nothing new
VALIDATION_BOUNDS = (8, 64)


def read_rehearsal(base_folder: Path) -> list[dict[str, Any]]:
    """The rows in the base's folder, each with a passage of its own; none when it ships none."""
    path = base_folder / FILE
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file if line.strip()]
    except ValueError as error:
        raise Damaged(f"{path} is not JSON lines; restore the base model's folder or choose another base.") from error
    if not all(isinstance(row, dict) and row.keys() >= FIELDS for row in rows):
        raise Damaged(
            f"{path}: each line needs {', '.join(sorted(FIELDS))}; restore the base model's folder or choose another base."
        )
    return rows


def choose_rehearsal(
    rows: Sequence[dict[str, Any]], learned: int, validated: int, *, taken: set[str]
) -> tuple[list[Example], list[Evaluation]]:
    """Training and validation rows: the same for the same rows, none about a question in ``taken``, never in the test split.

    ``learned`` and ``validated`` count the rows made from labels and imported gold that they are mixed with.
    """
    ordered = sorted((row for row in rows if row["text"] not in taken), key=_order)
    train = [row for row in ordered if split_of(row["text"]) == "train"][: max(AT_LEAST, SHARE * learned)]
    validation = [row for row in ordered if split_of(row["text"]) == "validation"]
    fewest, most = VALIDATION_BOUNDS
    validation = validation[: min(max(VALIDATION_SHARE * validated, fewest), most)]
    return [_example(row) for row in train], [_evaluation(row, i) for i, row in enumerate(validation)]


def _order(row: dict[str, Any]) -> str:
    return hashlib.sha256(f"{row['text']}\n{row.get('passage', '')}".encode()).hexdigest()


def _example(row: dict[str, Any]) -> Example:
    answerable = bool(row["answerable"])
    return Example(
        row["text"],
        row["passage"],
        Target(row["target"] if answerable else "", answerable, row.get("start")),
        kind="rehearsal",
    )


def _evaluation(row: dict[str, Any], number: int) -> Evaluation:
    answers = (row["target"],) if row["answerable"] else ()
    return Evaluation(
        Gold(f"rehearsal-{number}", row["text"], (row["passage"],), answers, is_rehearsal=True), "rehearsal"
    )
