"""Candidate and champion on the same test questions: reading, retrieval and time, and the gate's decision on all of it.

Reading is compared with the same passages for both: those that were retrieved when the question was labelled (the right one added
when it was not among them), imported gold questions with their own context. So a changed index or retriever does not move the
figures of reading. Retrieval is compared by the rank at which each finds the first passage known to be right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from training.tasks import Task
from webapp.iterations.asked import Asked, find_ranks, rank_figures
from webapp.iterations.blame import Outcome, blame
from webapp.iterations.effect import Effect
from webapp.iterations.gate import Evidence, Gate, Latency, Measured, decide
from webapp.iterations.history import Past
from webapp.iterations.reading import Contender, Side, evaluate
from webapp.iterations.slices import refused, watch

RETRIEVAL = {
    "recall_at_5": "Right passage among the first five",
    "mrr_at_10": "Mean reciprocal rank of the right passage",
}
RETRIEVAL_MEANINGS = {
    "recall_at_5": "How often the right passage is one of the first five that are found (recall@5).",
    "mrr_at_10": "How far in front the right passage comes: 100 % if always first, 50 % if always second, 33 % if always third, 0 % if never "
    "among the first ten (MRR).",
}


@dataclass(frozen=True)
class Result:
    """One contender's side: what it read, at which rank it found the right passages, what its wrong answers are put down to."""

    side: Side
    ranks: tuple[int | None, ...]
    blames: tuple[str, ...]

    @property
    def metrics(self) -> dict[str, float]:
        return self.side.metrics


@dataclass(frozen=True)
class Comparison:
    rows: tuple[Asked, ...]
    before: Result
    after: Result
    gate: Gate
    effects: tuple[Effect, ...] = ()


def examine(
    task: Task, contender: Contender, asked: Sequence[Asked], *, shown: int, report: Callable[[float], None]
) -> Result:
    """One contender on every test question."""
    golds = [one.row.gold for one in asked]
    side = evaluate(task, contender.answerer, golds, lambda f: report(0.8 * f))
    ranks = find_ranks(asked, contender.search, lambda f: report(0.8 + 0.2 * f))
    side = _with_retrieval(side, asked, ranks) if contender.search is not None else side
    blames = [
        blame(
            Outcome(
                each[task.PRIMARY_METRIC], not prediction.text, one.row.gold.answerable, one.decision == "wrong_passage",
                contender.search is not None and one.relevant is not None, rank, shown,
            )
        )
        for one, prediction, each, rank in zip(asked, side.predictions, side.each, ranks, strict=True)
    ]  # fmt: skip
    return Result(side, tuple(ranks), tuple(blames))


def _with_retrieval(side: Side, asked: Sequence[Asked], ranks: Sequence[int | None]) -> Side:
    """The figures of retrieval beside those of reading, for the questions whose right passage is known."""
    each = tuple(
        {**scores, **rank_figures(rank)} if one.relevant is not None else scores
        for scores, one, rank in zip(side.each, asked, ranks, strict=True)
    )
    known = [scores for scores, one in zip(each, asked, strict=True) if one.relevant is not None]
    if not known:
        return side
    means = {key: sum(scores[key] for scores in known) / len(known) for key in RETRIEVAL}
    return replace(side, each=each, metrics={**side.metrics, **means, "n_retrieval": len(known)})


def judge(
    task: Task,
    asked: Sequence[Asked],
    before: Result,
    after: Result,
    *,
    past: Sequence[Past] = (),
    latency: Latency | None = None,
    noise: float = 2.0,
    seed: int = 0,
) -> Gate:
    metric, names = task.PRIMARY_METRIC, {**task.METRICS, **RETRIEVAL}
    old, new = before.side, after.side
    sizes = task.count_guarded([one.row.gold for one in asked])
    evidence = Evidence(
        watch(asked, old, new, metric=metric, name=names[metric], retrieval=RETRIEVAL, past=past),
        refused(asked, old, new, metric), latency, noise,
    )  # fmt: skip
    return decide(
        Measured(old.metrics, [each[metric] for each in old.each]), Measured(new.metrics, [each[metric] for each in new.each]),
        metric=metric, names=names, evidence=evidence, seed=seed,
        guards={name: (margin, sizes.get(name, 0)) for name, margin in task.GUARDS.items()},
    )  # fmt: skip
