"""The written comparison of a candidate with the champion: promote, hold or ask, with the reasons in sentences. Pure.

Promote when the primary metric rose on the test questions, its paired bootstrap interval does not reach below the tolerance, no
guarded metric fell further than its margin (or one question's worth, where that is more), and nothing watched gives a doubt.
Hold when any of the first three fails. Ask an engineer when the primary metric rose but something else speaks against it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from training.bootstrap import Interval, paired_interval, questions_needed
from webapp.iterations.watched import Judgement, Watched, judge

TOLERANCE = 0.02  # the lower end of the interval may reach this far below zero
FEW = 30  # fewer test questions than this are said to be few
MOST_WANTED = 10_000  # nobody writes more
REFUSED_MORE = 0.10  # the share of answerable questions refused may rise this much
SLOWER_S = 0.02  # a difference below this is not noticed, whatever the ratio
UNMEASURED = (
    "Nothing could be measured, because there is no test question yet (15 % of the labelled questions become test questions, and gold "
    "questions can be imported); the model in service stays, and a person may promote the candidate."
)
PRACTISED = (
    "It practised on the corpus and learned from no label. Later iterations begin with the base model again: switch warm_up on in the "
    "project's settings to let them practise too."
)


@dataclass(frozen=True)
class Measured:
    """One model on the test questions: the metrics, and the primary metric question by question."""

    metrics: Mapping[str, float | None]
    each: Sequence[float]


@dataclass(frozen=True)
class Refused:
    """Shares of the ``n`` answerable questions to which the models gave no answer. ``has_gained``: more of them are answered right."""

    before: float
    after: float
    n: int
    has_gained: bool

    @property
    def allowed(self) -> float:
        """How far the share may rise: one question alone is never too many."""
        return max(REFUSED_MORE, 1.0 / max(self.n, 1))

    @property
    def is_over(self) -> bool:
        return self.n > 0 and self.after - self.before > self.allowed + 1e-9


@dataclass(frozen=True)
class Latency:
    """Median seconds to retrieve and answer one question, over the same ``n`` questions.

    ``limit`` is the ratio allowed, ``ratio_low`` the lower end of the ratio's 95 % interval.
    """

    before: float
    after: float
    n: int
    limit: float
    ratio_low: float

    @property
    def is_over(self) -> bool:
        return min(self.ratio_low, self.after / self.before) > self.limit and self.after - self.before > SLOWER_S


@dataclass(frozen=True)
class Evidence:
    """What is looked at besides the primary metric and the task's guards."""

    watched: Sequence[Watched] = ()
    refused: Refused | None = None
    latency: Latency | None = None
    noise: float = 2.0


@dataclass(frozen=True)
class Gate:
    """``decision`` is ``promote``, ``hold`` or ``ask``; ``reasons`` are sentences; ``interval`` is of the primary metric's difference.

    ``has_lost``: a guarded or watched figure fell so far that this alone holds it. ``overtaken_by``: the release that went into service
    after the comparison and so made a question of a promotion.
    """

    decision: str
    reasons: tuple[str, ...]
    metric: str
    interval: Interval
    needed: int | None  # test questions it would take to be sure, when that can be said
    watched: tuple[Judgement, ...] = ()
    refused: Refused | None = None
    latency: Latency | None = None
    has_lost: bool = False
    overtaken_by: int | None = None

    def unless(self, number: int) -> "Gate":
        """The same when another release, ``number``, went into service after the comparison: it promotes nothing by itself."""
        if self.decision != "promote":
            return self
        said = (
            f"Release {number} was put into service after the comparison began, so an engineer decides between the two."
        )
        reasons = (self.reasons[0], said, *self.reasons[1:])
        return replace(self, decision="ask", reasons=reasons, overtaken_by=number)

    def after_practice(self) -> "Gate":
        """The same for a candidate that learned from no label: what nothing could be told of waits for a person."""
        if self.interval.n:
            return replace(self, reasons=(*self.reasons, PRACTISED))
        return replace(self, decision="ask", reasons=(UNMEASURED, PRACTISED))

    def to_json(self) -> dict[str, Any]:
        return {
            "decision": self.decision, "reasons": list(self.reasons), "metric": self.metric, "interval": asdict(self.interval),
            "needed": self.needed, "watched": [one.to_json() for one in self.watched],
            "refused": asdict(self.refused) if self.refused else None, "latency": asdict(self.latency) if self.latency else None,
            "has_lost": self.has_lost, "overtaken_by": self.overtaken_by,
        }  # fmt: skip


def decide(
    before: Measured,
    after: Measured,
    *,
    metric: str,
    names: Mapping[str, str],
    guards: Mapping[str, tuple[float, int]],
    evidence: Evidence = Evidence(),
    seed: int = 0,
) -> Gate:
    """``guards``: metric -> how far it may fall, and how many test questions it is made of: one question alone holds no release."""
    interval = paired_interval(before.each, after.each, seed=seed)
    needed = questions_needed(before.each, after.each)
    if interval.n == 0:
        return Gate("hold", (_no_questions(),), metric, interval, None)
    judged = judge(evidence.watched, noise=evidence.noise, seed=seed)
    name = names.get(metric, metric)
    primary = _objections(interval, name)
    others = _guard_objections(before, after, names, guards) + [
        one.sentence for one in judged if one.verdict == "objection"
    ]
    has_lost = bool(others)
    doubts = [one.sentence for one in judged if one.verdict == "doubt"] + _late(evidence.latency)
    _judge_refusals(evidence.refused, others, doubts)
    decision, why = _weigh(interval, primary, others, doubts, judged)
    reasons = (
        _comparison(name, before, after, metric, interval),
        *why,
        *_told(judged, evidence.latency),
        *_small_sample(interval, needed),
    )
    return Gate(decision, reasons, metric, interval, needed, judged, evidence.refused, evidence.latency, has_lost)  # fmt: skip


def _weigh(
    interval: Interval, primary: list[str], others: list[str], doubts: list[str], judged: Sequence[Judgement]
) -> tuple[str, list[str]]:
    found = [one for one in judged if one.watched.kind == "retrieval" and one.interval.low > 0]
    if primary and not others and found and interval.low >= -TOLERANCE:
        gains = [f"{one.watched.name} rose from {_percent(one.before)} to {_percent(one.after)}." for one in found]
        return "ask", [*gains, *doubts, "Retrieval is better and reading is not, so an engineer decides."]
    if primary or others:
        return "hold", [*primary, *others, *doubts]
    if doubts:
        return "ask", [*doubts, "The evidence is mixed, so an engineer decides; until then the model in service stays."]
    return "promote", []


def _comparison(name: str, before: Measured, after: Measured, metric: str, interval: Interval) -> str:
    return (
        f"{name} went from {_percent(before.metrics[metric])} to {_percent(after.metrics[metric])} on {interval.n} test "
        f"{'question' if interval.n == 1 else 'questions'} ({_points(interval.difference)}; 95 % interval "
        f"{_points(interval.low)} to {_points(interval.high)})."
    )


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


def _judge_refusals(refused: Refused | None, others: list[str], doubts: list[str]) -> None:
    """Refusing more than before is held, unless more is answered right all the same: then a person decides."""
    if refused is None or not refused.is_over:
        return
    (doubts if refused.has_gained else others).append(
        f"It abstains too often: {_percent(refused.after)} of {refused.n} answerable questions are refused, {_percent(refused.before)} "
        f"before; a rise of more than {_percent(refused.allowed)} is not served by itself."
    )


def _late(latency: Latency | None) -> list[str]:
    if latency is None or not latency.is_over:
        return []
    return [
        f"It is slow: {_milliseconds(latency.after)} for an answer where the model in service takes {_milliseconds(latency.before)} "
        f"(medians over {latency.n} questions), more than {latency.limit:g} times as long beyond noise."
    ]


def _told(judged: Sequence[Judgement], latency: Latency | None) -> list[str]:
    """Figures that decided nothing and are told all the same."""
    said = [
        f"{one.watched.name}: {_percent(one.before)} before, {_percent(one.after)} after, {one.interval.n} questions."
        for one in judged if one.verdict == "fine" and _is_told(one)
    ]  # fmt: skip
    if latency is not None and not latency.is_over:
        said.append(
            f"An answer takes {_milliseconds(latency.after)}, {_milliseconds(latency.before)} before (medians over {latency.n} "
            f"questions; up to {latency.limit:g} times as long is accepted)."
        )
    return said


def _is_told(one: Judgement) -> bool:
    """Of what decided nothing: retrieval, the newest questions, and a loss among those that have an answer or those that have none."""
    is_loss = one.watched.kind == "guard" and one.interval.difference < 0
    return is_loss or one.watched.split == "rolling" or one.watched.kind == "retrieval"


def _small_sample(interval: Interval, needed: int | None) -> list[str]:
    """What more test questions would tell; nothing when the interval leaves zero on one side of a set that is not small."""
    if interval.n >= FEW and (interval.low > 0 or interval.high < 0 or needed is None):
        return []
    wanted = max(FEW, needed or 0) - interval.n
    few = f"{interval.n} test {'question is' if interval.n == 1 else 'questions are'} few" if interval.n < FEW else ""
    if wanted > MOST_WANTED:
        small = f"difference this small could not be told from chance with {MOST_WANTED:,} more test questions."
        return [f"{few}, and a {small}" if few else f"A {small}"]
    if few:
        return [
            f"{few}: about {wanted:,} more would make this comparison steady (15 % of the labelled questions become test questions; "
            "gold questions can be imported)."
        ]
    tens = 10 * math.ceil(wanted / 10)  # it is an estimate
    return [f"To be sure of a difference of this size would take about {tens:,} more test questions."] if tens else []


def _no_questions() -> str:
    return (
        "There is no test question to compare on, so nothing can be said and the model in service stays; label more (15 % of the "
        "questions become test questions), import gold questions, or promote by hand."
    )


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
