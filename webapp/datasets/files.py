"""The files of a frozen dataset, as JSON lines, and ``dataset.json`` saying where each row came from.

``train``, ``validation`` and ``test`` are the supervised rows and the questions to evaluate on; ``preferences``, ``rejects`` and
``triples`` hold all splits, each line with its own.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from training.types import Example, Gold, Preference, Target
from webapp.datasets.examples import Evaluation
from webapp.datasets.triples import Triple, passed_over

SPLITS = ("train", "validation", "test")


def example_to_json(example: Example) -> dict[str, Any]:
    return {
        "text": example.text, "passage": example.passage, "target": example.target.text, "answerable": example.target.answerable,
        "start": example.target.start, "weight": example.weight, "kind": example.kind, "label": example.label,
    }  # fmt: skip


def evaluation_to_json(row: Evaluation) -> dict[str, Any]:
    return {
        "id": row.gold.id, "text": row.gold.text, "passages": list(row.gold.passages), "answers": list(row.gold.answers),
        "source": row.source, "question": row.question, "label": row.label,
    }  # fmt: skip


def preference_to_json(preference: Preference, split: str) -> dict[str, Any]:
    """``rejected`` is "" where the model had said that there is no answer."""
    return {
        "text": preference.text, "passage": preference.passage, "chosen": preference.chosen.text, "start": preference.chosen.start,
        "rejected": preference.rejected.text, "weight": preference.weight, "label": preference.label, "split": split,
    }  # fmt: skip


def reject_to_json(example: Example, split: str) -> dict[str, Any]:
    """``rejected`` is "" where "not answerable" was wrong."""
    return {
        "text": example.text, "passage": example.passage, "rejected": example.target.text, "start": example.target.start,
        "weight": example.weight, "label": example.label, "split": split,
    }  # fmt: skip


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_train(folder: Path) -> list[Example]:
    return [
        Example(
            row["text"],
            row["passage"],
            Target(row["target"], row["answerable"], row["start"]),
            row["weight"],
            row["kind"],
            row["label"],
        )
        for row in read_lines(folder / "train.jsonl")
    ]


def read_preferences(folder: Path, split: str) -> list[Preference]:
    rows = [row for row in _read_if_written(folder / "preferences.jsonl") if row["split"] == split]
    return [
        Preference(
            row["text"], row["passage"], Target(row["chosen"], start=row["start"]),
            Target(row["rejected"], bool(row["rejected"])), row["weight"], row["label"],
        )
        for row in rows
    ]  # fmt: skip


def read_rejects(folder: Path, split: str) -> list[Example]:
    rows = [row for row in _read_if_written(folder / "rejects.jsonl") if row["split"] == split]
    return [
        Example(
            row["text"], row["passage"], Target(row["rejected"], bool(row["rejected"]), start=row["start"]), row["weight"], "reject",
            row["label"],
        )
        for row in rows
    ]  # fmt: skip


def read_triples(folder: Path) -> dict[str, list[Triple]]:
    found: dict[str, list[Triple]] = {split: [] for split in SPLITS}
    for row in _read_if_written(folder / "triples.jsonl"):
        triple = Triple(
            row["text"], row["positive"], tuple(row["negatives"]), row["positive_id"], tuple(row["negative_ids"]), row["label"],
            row["split"],
        )  # fmt: skip
        found[triple.split].append(triple)
    return found


def read_passed_over(folder: Path, *, at_most: int) -> list[Example]:
    """:func:`webapp.datasets.triples.passed_over` of the training split."""
    return passed_over(read_train(folder), read_triples(folder)["train"], at_most=at_most)


def _read_if_written(path: Path) -> list[dict[str, Any]]:
    """No rows where a dataset was frozen before there were rows of this kind."""
    return read_lines(path) if path.exists() else []


def read_evaluation(folder: Path, split: str) -> list[Evaluation]:
    return [
        Evaluation(
            Gold(row["id"], row["text"], tuple(row["passages"]), tuple(row["answers"]), row["source"] == "rehearsal"),
            row["source"],
            row["question"],
            row["label"],
        )
        for row in read_lines(folder / f"{split}.jsonl")
    ]


def fingerprint_of(*parts: Iterable[dict[str, Any]]) -> str:
    """The same rows in the same order give the same fingerprint, on any machine."""
    digest = hashlib.sha256()
    for part in parts:
        for row in part:
            digest.update(json.dumps(row, sort_keys=True).encode())
        digest.update(b"\n")
    return digest.hexdigest()
