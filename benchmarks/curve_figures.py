"""Areas under learning curves, the labels needed for an equal score, and intervals over seeds. Pure."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FIGURES = ("span_f1", "answerability_auroc", "answerable_f1_at_75")
SCORE = "answerable_f1_at_75"
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
"""Two-sided 95 % points of Student's t, by the number of seeds."""


@dataclass(frozen=True)
class Point:
    """One measured model: who trained it, on how many labels, and what it scored."""

    side: str
    seed: int
    labels: int
    metrics: dict[str, float]
    chosen: tuple[int, ...] = ()
    seconds: float = 0.0
    served_from: int = 0  # the labels of the model in service; 0 the untrained base


def area(curve: Sequence[tuple[float, float]]) -> float:
    """The mean height of a curve over the logarithm of its labels; the height itself of a single point."""
    if len(curve) == 1:
        return curve[0][1]
    pairs = list(itertools.pairwise(curve))
    total = sum((math.log2(b[0]) - math.log2(a[0])) * (a[1] + b[1]) / 2 for a, b in pairs)
    return total / (math.log2(curve[-1][0]) - math.log2(curve[0][0]))


def labels_needed(curve: Sequence[tuple[float, float]], score: float) -> float | None:
    """The labels at which a curve first reaches ``score``, on straight lines over the logarithm; None where it never does."""
    before: tuple[float, float] | None = None
    for labels, value in curve:
        if value >= score:
            if before is None:
                return float(labels)
            share = (score - before[1]) / (value - before[1])
            return float(2 ** (math.log2(before[0]) + share * (math.log2(labels) - math.log2(before[0]))))
        before = (labels, value)
    return None


def interval(values: Sequence[float]) -> dict[str, float | None]:
    """The mean over seeds with its 95 % interval (Student's t); no interval from one seed."""
    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return {"mean": mean, "low": None, "high": None}
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
    half = STUDENT.get(n, 2.0) * spread
    return {"mean": mean, "low": mean - half, "high": mean + half}


def curve_of(points: Sequence[Point], side: str, name: str, seed: int | None = None) -> list[tuple[float, float]]:
    """(labels, figure) of one seed, or of the mean over seeds."""
    found: dict[int, list[float]] = {}
    for point in points:
        if point.side == side and seed in (None, point.seed):
            found.setdefault(point.labels, []).append(point.metrics[name])
    return [(labels, sum(values) / len(values)) for labels, values in sorted(found.items())]


def compare(points: Sequence[Point]) -> dict[str, Any]:
    """All curves, their areas, and for every other side: ours against it by area and by labels for its last score."""
    sides = list(dict.fromkeys(point.side for point in points))
    curves = {side: {name: _spread(points, side, name) for name in FIGURES} for side in sides}
    areas = {side: {name: interval(_areas(points, side, name)) for name in FIGURES} for side in sides}
    rivals = [side for side in sides if side != sides[0]]
    return {"curves": curves, "areas": areas, "against": {rival: _against(points, sides[0], rival) for rival in rivals}}


def _seeds(points: Sequence[Point], side: str) -> list[int]:
    return sorted({point.seed for point in points if point.side == side})


def _areas(points: Sequence[Point], side: str, name: str) -> list[float]:
    return [area(curve_of(points, side, name, seed)) for seed in _seeds(points, side)]


def _spread(points: Sequence[Point], side: str, name: str) -> list[dict[str, Any]]:
    budgets = sorted({point.labels for point in points if point.side == side})
    values = {n: [p.metrics[name] for p in points if (p.side, p.labels) == (side, n)] for n in budgets}
    return [{"labels": n, **interval(values[n]), "seeds": len(values[n])} for n in budgets]


def _against(points: Sequence[Point], ours: str, rival: str) -> dict[str, Any]:
    """Paired by seed: the difference of areas; and the labels ours needs for what the rival reaches with its most labels."""
    seeds = [seed for seed in _seeds(points, ours) if seed in _seeds(points, rival)]
    result: dict[str, Any] = {}
    for name in FIGURES:
        pairs = [(curve_of(points, ours, name, seed), curve_of(points, rival, name, seed)) for seed in seeds]
        gains = [area(mine) - area(other) for mine, other in pairs]
        mine, other = curve_of(points, ours, name), curve_of(points, rival, name)
        needed = [labels_needed(one, two[-1][1]) for one, two in pairs]
        result[name] = {
            "area_gain": interval(gains) if gains else None,
            "rival_at_most_labels": {"labels": other[-1][0], "score": other[-1][1]},
            "labels_needed": labels_needed(mine, other[-1][1]),
            "labels_needed_by_seed": needed,
        }
    return result
