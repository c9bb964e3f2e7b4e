"""Candidate and champion on the same test questions with the same passages, so that reading is compared and nothing else.

Each test question is asked with the passages that were retrieved for it when it was labelled (the right one added when it was not
among them), imported gold questions with their own context. Nothing is retrieved anew: a changed index does not move the figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.answerers import load_answerer
from training.tasks import Task
from training.types import Gold, Input, Prediction
from webapp.datasets.examples import Evaluation
from webapp.iterations.gate import Gate, Measured, decide

BATCH = 16  # questions between two reports, so that a cancel is heard


@dataclass(frozen=True)
class Side:
    predictions: tuple[Prediction, ...]
    metrics: dict[str, float]
    each: tuple[dict[str, float], ...]


@dataclass(frozen=True)
class Comparison:
    rows: tuple[Evaluation, ...]
    before: Side
    after: Side
    gate: Gate


def compare(
    task: Task,
    *,
    before: Path,
    after: Path,
    rows: Sequence[Evaluation],
    seed: int,
    report: Callable[[float, str], None],
) -> Comparison:
    golds = [row.gold for row in rows]
    old = evaluate(task, load_answerer(before, task), golds, lambda f: report(f / 2, "Asking the model in service"))
    new = evaluate(task, load_answerer(after, task), golds, lambda f: report(0.5 + f / 2, "Asking the candidate"))
    metric = task.PRIMARY_METRIC
    sizes = task.count_guarded(golds)
    gate = decide(
        Measured(old.metrics, [each[metric] for each in old.each]), Measured(new.metrics, [each[metric] for each in new.each]),
        metric=metric, names=task.METRICS, seed=seed,
        guards={name: (margin, sizes.get(name, 0)) for name, margin in task.GUARDS.items()},
    )  # fmt: skip
    return Comparison(tuple(rows), old, new, gate)


def evaluate(task: Task, answerer: Any, golds: Sequence[Gold], report: Callable[[float], None]) -> Side:
    predictions: list[Prediction] = []
    for first in range(0, len(golds), BATCH):
        report(first / len(golds))
        chunk = golds[first : first + BATCH]
        predictions.extend(task.predict(answerer, [Input(gold.id, gold.text, gold.passages) for gold in chunk]))
    metrics = task.score(predictions, golds) if golds else {}
    return Side(tuple(predictions), metrics, tuple(task.score_each(predictions, golds)))
