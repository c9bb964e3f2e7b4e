"""How many labels an iteration was given to learn from: the others judge, or are of a kind it leaves aside."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import case, func, select

from webapp.iterations.lessons import lessons_of
from webapp.models import DatasetLabel, Iteration, db


@dataclass(frozen=True)
class LabelsUsed:
    """``total`` are the labels of its dataset, ``learned`` those it was given to learn from. ``judging``: their questions are in validation
    or test."""

    total: int = 0
    learned: int = 0
    judging: int = 0

    @property
    def aside(self) -> int:
        return self.total - self.learned - self.judging

    @property
    def given(self) -> str:
        """The beginning of the sentence that ends in "given to it to learn from"."""
        if self.total == 1:
            return "Its one label was" if self.learned else "Its one label was not"
        if self.learned == self.total:
            return f"All its {self.total} labels were"
        return f"{self.learned or 'None'} of its {self.total} labels {'was' if self.learned == 1 else 'were'}"


def written_down(iteration: Iteration) -> LabelsUsed | None:
    """What was counted when it froze its dataset, so that a list of iterations counts none of these; None for one from before that."""
    counts = iteration.config.get("labels")
    return LabelsUsed(**counts) if counts else None


def labels_used(iteration: Iteration) -> LabelsUsed:
    """Of one iteration. Its own figure: another may have had the same dataset and left other kinds aside."""
    counted = written_down(iteration)
    if counted is not None or iteration.dataset_id is None:
        return counted or LabelsUsed()
    return _count(iteration.dataset_id, _kinds(iteration))


def to_write_down(iteration: Iteration, dataset: int) -> dict[str, Any]:
    """For the configuration of ``iteration``, which is about to be given ``dataset``."""
    return {"labels": asdict(_count(dataset, _kinds(iteration)))}


def _kinds(iteration: Iteration) -> tuple[str, ...]:
    """The kinds of rows it learns from."""
    lessons = lessons_of(iteration)
    switched = {
        "accept": True, "correct": True, "negative": lessons.abstention, "reject": lessons.rejects,
        "preference": lessons.preferences != "off", "triple": iteration.config.get("learn_retriever", "off") != "off",
    }  # fmt: skip
    return tuple(kind for kind, is_on in switched.items() if is_on and not lessons.only_warm_up)


def _count(dataset: int, kinds: tuple[str, ...]) -> LabelsUsed:
    label, is_train = DatasetLabel.label_id, DatasetLabel.split == "train"
    statement = select(
        func.count(label.distinct()),
        func.count(case((is_train & DatasetLabel.kind.in_(kinds), label)).distinct()),
        func.count(case((~is_train, label)).distinct()),
    ).where(DatasetLabel.dataset_id == dataset)
    return LabelsUsed(*db.session.execute(statement).one())
