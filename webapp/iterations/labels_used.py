"""How many labels an iteration was given, and how many of them it learned from: the others judge, or are of a kind it leaves aside."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select

from webapp.iterations.lessons import lessons_of
from webapp.models import DatasetLabel, Iteration, db


@dataclass(frozen=True)
class LabelsUsed:
    """``total`` are the labels of its dataset. ``judging``: their questions are in validation or test."""

    total: int = 0
    learned: int = 0
    judging: int = 0

    @property
    def aside(self) -> int:
        return self.total - self.learned - self.judging


def labels_used(iterations: Sequence[Iteration]) -> dict[int, LabelsUsed]:
    """By the iteration's dataset. Iterations that learn from the same kinds are counted in one go."""
    alike = defaultdict[tuple[str, ...], list[int]](list)
    for iteration in iterations:
        if iteration.dataset_id is not None:
            alike[_kinds(iteration)].append(iteration.dataset_id)
    return {dataset: used for kinds, datasets in alike.items() for dataset, used in _count(datasets, kinds)}


def _kinds(iteration: Iteration) -> tuple[str, ...]:
    """The kinds of rows it learns from."""
    lessons = lessons_of(iteration)
    switched = {
        "accept": True, "correct": True, "negative": lessons.abstention, "reject": lessons.rejects,
        "preference": lessons.preferences != "off", "triple": iteration.config.get("learn_retriever", "off") != "off",
    }  # fmt: skip
    return tuple(kind for kind, is_on in switched.items() if is_on and not lessons.only_warm_up)


def _count(datasets: Sequence[int], kinds: Sequence[str]) -> list[tuple[int, LabelsUsed]]:
    label, is_train = DatasetLabel.label_id, DatasetLabel.split == "train"
    statement = (
        select(
            DatasetLabel.dataset_id, func.count(label.distinct()),
            func.count(case((is_train & DatasetLabel.kind.in_(kinds), label)).distinct()),
            func.count(case((~is_train, label)).distinct()),
        )
        .where(DatasetLabel.dataset_id.in_(datasets)).group_by(DatasetLabel.dataset_id)
    )  # fmt: skip
    return [(dataset, LabelsUsed(*counts)) for dataset, *counts in db.session.execute(statement)]
