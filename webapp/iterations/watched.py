"""Figures that must not fall while another one rises, judged one by one. Pure.

Every figure is a list of values, question by question, under a reference (the model in service, or the best champion so far) and
under the candidate. Four kinds, each with its own rule for when a fall is a doubt (a person decides) or an objection (held):

* ``slice``: of the fixed test questions, a fall of more than one point where there are 100 questions or more, so that one question is
  worth a point at most; else, from 10 questions on, of more than one point beyond noise (two standard errors of the difference, unless the
  project says otherwise) is a doubt;
* ``best``: the same slices beside the best champion of the past, which luck may have helped: always beyond noise;
* ``guard``: a fall of more than one point, when the 95 % interval reaches further than five points down, is a doubt;
* ``retrieval``: a fall of more than one point is a doubt, and an objection when the whole interval lies below zero.

One question's worth is never more than chance, whatever the kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.bootstrap import Interval, paired_interval

SLICE_AT_LEAST = 10
STRICT_AT = 100  # questions: one is worth a point at most
FALL = 0.01
FAR = 0.05
STANDARD_ERRORS_IN_INTERVAL = 3.92  # a 95 % interval is that many standard errors wide


@dataclass(frozen=True)
class Watched:
    """``split``: fixed, rolling or all. ``against`` names the reference in a sentence."""

    name: str
    before: Sequence[float]
    after: Sequence[float]
    kind: str = "slice"
    split: str = "fixed"
    against: str = "the model in service"


@dataclass(frozen=True)
class Judgement:
    """``verdict`` is ``fine``, ``doubt`` or ``objection``."""

    watched: Watched
    interval: Interval
    verdict: str

    @property
    def before(self) -> float:
        return sum(self.watched.before) / len(self.watched.before)

    @property
    def after(self) -> float:
        return sum(self.watched.after) / len(self.watched.after)

    def to_json(self) -> dict[str, Any]:
        one = self.watched
        return {
            "name": one.name, "kind": one.kind, "split": one.split, "against": one.against, "n": self.interval.n, "before": self.before,
            "after": self.after, "low": self.interval.low, "high": self.interval.high, "verdict": self.verdict,
        }  # fmt: skip

    @property
    def sentence(self) -> str:
        figures = f"{100 * self.before:.1f} % to {100 * self.after:.1f} %"
        interval = f"95 % interval {100 * self.interval.low:+.1f} to {100 * self.interval.high:+.1f} points"
        why = {
            "slice": "more than one point" if _is_strict(self.watched) else "more than one point beyond noise",
            "best": "more than one point beyond noise",
            "guard": "and the loss may be larger",
            "retrieval": "so the right passage comes later",
        }
        return (
            f"{self.watched.name} fell from {figures} against {self.watched.against} "
            f"({self.interval.n} questions; {interval}), {why[self.watched.kind]}."
        )  # fmt: skip


def judge(watched: Sequence[Watched], *, noise: float, seed: int) -> tuple[Judgement, ...]:
    """Figures without a question are left out. ``noise``: standard errors a slice may fall beyond one point."""
    return tuple(_judge(one, noise=noise, seed=seed) for one in watched if one.before)


def _judge(one: Watched, *, noise: float, seed: int) -> Judgement:
    interval = paired_interval(one.before, one.after, seed=seed)
    fall = -interval.difference
    verdict = "fine"
    if fall > max(FALL, 1.0 / interval.n) + 1e-9:
        verdict = _VERDICTS[one.kind](interval, 0.0 if _is_strict(one) else noise)
    return Judgement(one, interval, verdict)


def _is_strict(one: Watched) -> bool:
    return one.kind == "slice" and one.split == "fixed" and len(one.before) >= STRICT_AT


def _slice(interval: Interval, noise: float) -> str:
    standard_error = (interval.high - interval.low) / STANDARD_ERRORS_IN_INTERVAL
    is_beyond = -interval.difference > FALL + noise * standard_error
    return "doubt" if interval.n >= SLICE_AT_LEAST and is_beyond else "fine"


def _guard(interval: Interval, _noise: float) -> str:
    return "doubt" if interval.low < -FAR else "fine"


def _retrieval(interval: Interval, _noise: float) -> str:
    return "objection" if interval.high < 0 else "doubt"


_VERDICTS = {"slice": _slice, "best": _slice, "guard": _guard, "retrieval": _retrieval}
