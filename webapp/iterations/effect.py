"""What became of labelled questions in the iteration that learned from their labels: answer and passage rank, before and after.

Both models read what the label speaks of: the passages that were shown, the right one added when it was not among them. A wrong
answer nobody corrected has no right answer to measure against, and a label that changed since the dataset was frozen no longer
says what was learned: neither has an effect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from training.tasks import Task
from webapp.datasets.examples import to_evaluation
from webapp.datasets.service import decide_labels, load_texts
from webapp.iterations.asked import Asked, find_ranks, look_up
from webapp.iterations.reading import Contender, evaluate
from webapp.models import Dataset, DatasetLabel, Project, db


@dataclass(frozen=True)
class Effect:
    """One label's question. Texts are "" when not answerable; ranks are None when unknown or not among the first ten."""

    label: int
    before_text: str
    after_text: str
    before_f1: float
    after_f1: float
    before_rank: int | None
    after_rank: int | None


def labels_to_measure(project: Project, dataset: Dataset, *, at_most: int) -> list[Asked]:
    """The newest ``at_most`` labels of the dataset, whatever their split, as questions to be asked."""
    if at_most <= 0:
        return []
    learned = set(db.session.scalars(select(DatasetLabel.label_id).where(DatasetLabel.dataset_id == dataset.id)))
    by_label = {row.label: row for row in decide_labels(project).rows if row.label in learned}
    rows = [by_label[label] for label in sorted(by_label, reverse=True)[:at_most]]
    texts = load_texts(rows)
    return look_up(project, [to_evaluation(row, texts) for row in rows])


def measure(
    task: Task, before: Contender, after: Contender, asked: Sequence[Asked], *, report: Callable[[float], None]
) -> tuple[Effect, ...]:
    golds = [one.row.gold for one in asked]
    old = evaluate(task, before.answerer, golds, lambda f: report(0.45 * f))
    new = evaluate(task, after.answerer, golds, lambda f: report(0.45 + 0.45 * f))
    old_ranks = find_ranks(asked, before.search, lambda f: report(0.9 + 0.05 * f))
    new_ranks = find_ranks(asked, after.search, lambda f: report(0.95 + 0.05 * f))
    metric = task.PRIMARY_METRIC
    return tuple(
        Effect(
            asked[i].row.label or 0, old.predictions[i].text, new.predictions[i].text, old.each[i][metric], new.each[i][metric],
            old_ranks[i], new_ranks[i],
        )
        for i in range(len(asked))
    )  # fmt: skip
