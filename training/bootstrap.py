"""The paired bootstrap: how sure a difference between two models on the same questions is.

Resampling questions with replacement and taking percentiles of the mean difference: Efron & Tibshirani 1993, chapter 13;
for comparing systems on one test set, Koehn 2004, "Statistical significance tests for machine translation evaluation".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RESAMPLES = 10_000
CONFIDENCE = 0.95
_CHUNK_CELLS = 4_000_000


@dataclass(frozen=True)
class Interval:
    """``difference`` is the mean of after - before; ``low``/``high`` the percentile interval around it; ``n`` the questions."""

    difference: float
    low: float
    high: float
    n: int


def paired_interval(
    before: Sequence[float],
    after: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of mean(after) - mean(before), question by question. Same seed, same interval.

    ``before`` and ``after`` hold one value per question, in the same order. With no question at all the interval is 0, 0, 0.
    Raises ``ValueError`` when their lengths differ.
    """
    import numpy as np

    if len(before) != len(after):
        raise ValueError(
            f"A paired comparison needs one value per question on both sides; got {len(before)} and {len(after)}."
        )
    differences = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    n = len(differences)
    if n == 0:
        return Interval(0.0, 0.0, 0.0, 0)
    random = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _CHUNK_CELLS // n)  # so that a large test set does not need gigabytes at once
    for first in range(0, resamples, step):
        count = min(step, resamples - first)
        means[first : first + count] = differences[random.integers(0, n, size=(count, n))].mean(axis=1)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Interval(float(differences.mean()), float(low), float(high), n)


def interval_of(
    difference: Callable[[Sequence[int]], float],
    n: int,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of a difference that is no mean over questions: ``difference(indices)`` is asked for every resample of ``n``.

    With no question at all the interval is 0, 0, 0.
    """
    import numpy as np

    if n == 0:
        return Interval(0.0, 0.0, 0.0, 0)
    random = np.random.default_rng(seed)
    found = [difference(random.integers(0, n, size=n).tolist()) for _ in range(resamples)]
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(found, [tail, 1.0 - tail])
    return Interval(difference(range(n)), float(low), float(high), n)


def questions_needed(before: Sequence[float], after: Sequence[float]) -> int | None:
    """How many questions in all it would take for the 95 % interval of this difference to leave zero (normal approximation).

    None when it cannot be said: fewer than two questions, no difference, or no spread.
    """
    n = len(before)
    if n < 2:
        return None
    differences = [new - old for old, new in zip(before, after, strict=True)]
    mean = sum(differences) / n
    variance = sum((value - mean) ** 2 for value in differences) / (n - 1)
    if mean == 0.0 or variance == 0.0:
        return None
    return max(n, math.ceil(1.96**2 * variance / mean**2))
