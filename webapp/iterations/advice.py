"""Whether more labels still help: what the last quarter of them moved, read from the stored evaluations of two iterations.

The newest iteration's candidate is compared with the best candidate of the iterations which had at most three quarters of its labels, on the
fixed test questions both were asked: the latest may have been a poor run, and then more labels would seem to help whatever they do. Both
learned from the base model on all labels of their time, so what differs is the labels.
"""

from dataclasses import dataclass

from sqlalchemy import func, select

from training.bootstrap import Interval, paired_interval
from training.metrics import mean
from training.tasks import get_task
from webapp.models import DatasetLabel, EvaluationRow, Iteration, Project, db

QUARTER = 0.75
LITTLE = 0.01  # a gain that surely stays below this is little
FEWEST_QUESTIONS = 20


@dataclass(frozen=True)
class Advice:
    """``verdict``: keep, stop or unsure."""

    verdict: str
    sentence: str


def advise(project: Project) -> Advice | None:
    """None before an iteration has been evaluated."""
    evaluated = _evaluated(project)
    if not evaluated:
        return None
    newest, labels = evaluated[0]
    earlier = [(one, count) for one, count in evaluated[1:] if 0 < count <= QUARTER * labels]
    if not earlier:
        return Advice("unsure", (
            "What the last labels were worth cannot be told yet: that takes an earlier iteration with at most three quarters of "
            f"the {labels:,} labels that iteration {newest.number} used."
        ))  # fmt: skip
    after = _scores(project, newest)
    pairs = [(_paired(_scores(project, one), after), (one.number, count)) for one, count in earlier]
    # The best one has gained least since; fewer questions in common are no comparison, and of equals the latest counts.
    told = [pair for pair in pairs if len(pair[0]) >= FEWEST_QUESTIONS] or pairs[:1]
    both, best = min(told, key=lambda pair: mean([new - old for old, new in pair[0]]))
    interval = paired_interval([old for old, _ in both], [new for _, new in both], seed=newest.seed)
    return Advice(_verdict(interval), _sentence(interval, best, (newest.number, labels)))


def _paired(before: dict[int, float], after: dict[int, float]) -> list[tuple[float, float]]:
    """The scores on the questions that both were asked."""
    return [(before[one], after[one]) for one in sorted(before.keys() & after.keys())]


def _evaluated(project: Project) -> list[tuple[Iteration, int]]:
    """The iterations with stored evaluations and how many labels each had in all, the newest first."""
    labels = (
        select(func.count(DatasetLabel.label_id.distinct())).where(DatasetLabel.dataset_id == Iteration.dataset_id).scalar_subquery()
    )  # fmt: skip
    # Each wrote its own number down; counting is for those from before that, and takes longer with every iteration.
    query = select(Iteration, func.coalesce(Iteration.config["labels", "total"].as_integer(), labels)).where(
        Iteration.project_id == project.id,
        select(EvaluationRow.id).where(EvaluationRow.iteration_id == Iteration.id).exists(),
    )
    rows = db.session.execute(query.order_by(Iteration.number.desc()))
    return [(iteration, count) for iteration, count in rows if count and not iteration.is_practice]


def _scores(project: Project, iteration: Iteration) -> dict[int, float]:
    """Question -> the candidate's score on it, on the fixed test part."""
    metric = get_task(project.task).PRIMARY_METRIC
    query = select(EvaluationRow.question_id, EvaluationRow.after).where(
        EvaluationRow.iteration_id == iteration.id, EvaluationRow.split == "fixed"
    )
    return {question: float(scores[metric]) for question, scores in db.session.execute(query) if metric in scores}


def _verdict(interval: Interval) -> str:
    if interval.n < FEWEST_QUESTIONS:
        return "unsure"
    return "keep" if interval.low > 0 else "stop" if interval.high < LITTLE else "unsure"


def _sentence(interval: Interval, earlier: tuple[int, int], newest: tuple[int, int]) -> str:
    moved = (
        f"From iteration {earlier[0]} ({earlier[1]:,} labels) to iteration {newest[0]} ({newest[1]:,} labels) the score went "
        f"{100 * interval.difference:+.1f} points on {interval.n} test questions both were asked"
    )
    if interval.n < FEWEST_QUESTIONS:
        return f"{moved}: too few to tell whether more labels help; {FEWEST_QUESTIONS} are the least."
    moved += f" (95 % interval {100 * interval.low:+.1f} to {100 * interval.high:+.1f})."
    meanings = {
        "keep": "Labels still help: keep labelling.",
        "stop": "More labels of this kind move little: stop, or change which questions are served.",
        "unsure": "Whether more labels help cannot be told from this.",
    }
    return f"{moved} {meanings[_verdict(interval)]}"
