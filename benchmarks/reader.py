"""How well a reader points at answers on every file of a question-answering folder, each apart: ``python benchmarks/reader.py PATH``.

Rows the shipped reader learned from, or was calibrated on, are left out of its figures or marked.
"""

import argparse
import json
import os
import time
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from training.answerers import load_answerer
from training.artefact import verify
from training.recipes.reader_data import SQUAD, SQUAD_SENTENCES, TEST_ARTICLES, load_rows, to_gold
from training.safety import SHIPPED
from training.tasks import get_task
from training.types import Gold

FIGURES = ("span_f1", "answerability_auroc", "answerable_f1_at_75", "exact_match", "f1", "unanswerable_accuracy")


def golds_of(path: Path, limit: int, seed: int) -> tuple[list[Gold], str]:
    """At most ``limit`` rows to measure on, drawn at random, and a remark on which they are."""
    rows = load_rows(path)
    if not any("answers" in row for row in rows):
        return [], "no gold answers to measure against"
    remark = "nothing of it in training"
    if path.name == SQUAD:
        rows = [row for row in rows if row["title"] in TEST_ARTICLES]
        remark = f"only the articles kept out of training and calibration: {', '.join(TEST_ARTICLES)}"
    if path.name == SQUAD_SENTENCES:
        remark = "TRAINED ON: says what it remembers, not what it can do"
    Random(seed).shuffle(rows)
    return [to_gold(row) for row in rows[:limit]], remark


def measure(answerer: Any, golds: list[Gold]) -> dict[str, float]:
    task: Any = get_task("qa")
    began = time.perf_counter()
    predictions = task.predict(answerer, [gold.input for gold in golds])
    seconds = time.perf_counter() - began
    scores = task.score(predictions, golds)
    return {
        "rows": len(golds),
        **{key: scores[key] for key in FIGURES if key in scores},
        "rows_per_s": len(golds) / seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="folder of .jsonl.gz files of questions")
    parser.add_argument("--model", type=Path, default=SHIPPED / "reader")
    parser.add_argument("--limit", type=int, default=500, help="rows measured per file, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(given.threads)
    if (given.model / "manifest.json").exists():
        verify(given.model)
    answerer = load_answerer(given.model, get_task("qa"))
    results: dict[str, dict[str, Any]] = {}
    for path in sorted(given.path.glob("*.jsonl.gz")):
        golds, remark = golds_of(path, given.limit, given.seed)
        results[path.name] = {"remark": remark, **(measure(answerer, golds) if golds else {})}
        if not given.json:
            print(line(path.name, results[path.name]), flush=True)
    if given.json:
        print(json.dumps({"threshold": answerer.settings.answerable_threshold, "files": results}, indent=1))


def line(name: str, result: dict[str, Any]) -> str:
    if "rows" not in result:
        return f"{name}: {result['remark']}"
    figures = ", ".join(f"{key} {result[key]:.3f}" for key in FIGURES if key in result)
    return f"{name}: {result['rows']} rows ({result['remark']}): {figures}, {result['rows_per_s']:.1f} rows/s"


if __name__ == "__main__":
    main()
