"""The written comparison of a candidate with the champion: promote or hold, with the reasons in sentences. Pure.

Promote when the primary metric rose on the test questions, its paired bootstrap interval does not reach below the tolerance, and
no guarded metric fell further than its margin (or one question's worth, where that is more). Anything else holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.bootstrap import Interval, paired_interval, questions_needed

TOLERANCE = 0.02  # the lower end of the interval may reach this far below zero
FEW = 30  # fewer test questions than this are said to be few


@dataclass(frozen=True)
class Gate:
    """``decision`` is ``promote`` or ``hold``; ``reasons`` are sentences; ``interval`` is of the primary metric's difference."""

    decision: str
    reasons: tuple[str, ...]
    metric: str
    interval: Interval
    needed: int | None  # test questions it would take to be sure, when that can be said

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "reasons": list(self.reasons)}


@dataclass(frozen=True)
class Measured:
    """One model on the test questions: the metrics, and the primary metric question by question."""

    metrics: Mapping[str, float | None]
    each: Sequence[float]


def decide(
    before: Measured,
    after: Measured,
    *,
    metric: str,
    names: Mapping[str, str],
    guards: Mapping[str, tuple[float, int]],
    seed: int = 0,
) -> Gate:
    """``guards``: metric -> how far it may fall, and how many test questions it is made of: one question alone holds no release."""
    interval = paired_interval(before.each, after.each, seed=seed)
    needed = questions_needed(before.each, after.each)
    if interval.n == 0:
        return Gate("hold", (_no_questions(),), metric, interval, None)
    name = names.get(metric, metric)
    objections = _objections(interval, name) + _guard_objections(before, after, names, guards)
    comparison = (
        f"{name} went from {_percent(before.metrics[metric])} to {_percent(after.metrics[metric])} on {interval.n} test "
        f"{'question' if interval.n == 1 else 'questions'} ({_points(interval.difference)}; 95 % interval "
        f"{_points(interval.low)} to {_points(interval.high)})."
    )
    decision = "hold" if objections else "promote"
    return Gate(decision, (comparison, *objections, *_small_sample(interval, needed)), metric, interval, needed)


def _objections(interval: Interval, name: str) -> list[str]:
    if interval.difference <= 0:
        return [
            f"The candidate is {'no better' if interval.difference == 0 else 'worse'} than the model in service, so that one stays."
        ]
    if interval.low < -TOLERANCE:
        return [
            f"The gain may be chance: the interval reaches {_points(interval.low)}, and more than {_points(-TOLERANCE)} is not "
            "accepted."
        ]
    return []


def _guard_objections(
    before: Measured, after: Measured, names: Mapping[str, str], guards: Mapping[str, tuple[float, int]]
) -> list[str]:
    found = []
    for metric, (margin, size) in guards.items():
        old, new = before.metrics.get(metric), after.metrics.get(metric)
        if old is None or new is None or size == 0:
            continue
        allowed = max(margin, 1.0 / size)
        if old - new > allowed + 1e-9:
            found.append(
                f"{names.get(metric, metric)} fell from {_percent(old)} to {_percent(new)}; a fall of more than "
                f"{_percent(allowed)} holds a candidate back whatever it gains elsewhere."
            )
    return found


def _small_sample(interval: Interval, needed: int | None) -> list[str]:
    """What more test questions would tell; nothing when the interval leaves zero on one side of a set that is not small."""
    if interval.n >= FEW and (interval.low > 0 or interval.high < 0 or needed is None):
        return []
    wanted = max(FEW, needed or 0) - interval.n
    if interval.n < FEW:
        return [
            f"{interval.n} test {'question is' if interval.n == 1 else 'questions are'} few: about {wanted} more would make this "
            "comparison steady (15 % of the labelled questions become test questions; gold questions can be imported)."
        ]
    return (
        [f"To be sure of a difference of this size would take about {wanted} more test questions."]
        if wanted > 0
        else []
    )


def _no_questions() -> str:
    return (
        "There is no test question to compare on, so nothing can be said and the model in service stays; label more (15 % of the "
        "questions become test questions), import gold questions, or promote by hand."
    )


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points"
