"""Who is compared, and how well an answerer reads questions with given passages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from training.tasks import Task
from training.types import Gold, Prediction

BATCH = 16  # questions between two reports, so that a cancel is heard


Search = Callable[[Sequence[str], int], list[list[int]]]
"""(texts, k) -> passage ids of each text, best first."""


@dataclass(frozen=True)
class Contender:
    """A release as the comparison sees it. ``search``: None for a task without passages."""

    answerer: Any
    search: Search | None = None


@dataclass(frozen=True)
class Side:
    predictions: tuple[Prediction, ...]
    metrics: dict[str, float]
    each: tuple[dict[str, float], ...]


def evaluate(task: Task, answerer: Any, golds: Sequence[Gold], report: Callable[[float], None]) -> Side:
    predictions: list[Prediction] = []
    for first in range(0, len(golds), BATCH):
        report(first / len(golds))
        chunk = golds[first : first + BATCH]
        predictions.extend(task.predict(answerer, [gold.input for gold in chunk]))
    metrics = task.score(predictions, golds) if golds else {}
    return Side(tuple(predictions), metrics, tuple(task.score_each(predictions, golds)))
