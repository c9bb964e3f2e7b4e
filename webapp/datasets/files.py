"""The files of a frozen dataset: train, validation and test as JSON lines, and ``dataset.json`` saying where each row came from."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from training.types import Example, Gold, Target
from webapp.datasets.examples import Evaluation


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


def read_evaluation(folder: Path, split: str) -> list[Evaluation]:
    return [
        Evaluation(
            Gold(row["id"], row["text"], tuple(row["passages"]), tuple(row["answers"])),
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
