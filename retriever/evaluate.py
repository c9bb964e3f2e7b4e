"""How good a ranking is, as small pure functions on ids. Every figure is from 0 to 1."""

from collections.abc import Collection, Mapping, Sequence
from math import log2
from typing import TypeVar

Key = TypeVar("Key", int, str)


def recall_at(ranked: Sequence[Key], relevant: Collection[Key], k: int) -> float:
    """The share of ``relevant`` among the first ``k`` of ``ranked``; 0 when nothing is relevant."""
    return len(set(ranked[:k]) & set(relevant)) / len(set(relevant)) if relevant else 0.0


def hit_at(ranked: Sequence[Key], relevant: Collection[Key], k: int) -> float:
    """1 when any of ``relevant`` is among the first ``k`` of ``ranked``, else 0."""
    return float(any(item in relevant for item in ranked[:k]))


def reciprocal_rank(ranked: Sequence[Key], relevant: Collection[Key], *, k: int = 10) -> float:
    """One over the rank of the first relevant of the first ``k``, else 0; its mean over questions is MRR@k (Voorhees, 1999)."""
    return next((1 / rank for rank, item in enumerate(ranked[:k], 1) if item in relevant), 0.0)


def ndcg(ranked: Sequence[Key], grades: Mapping[Key, float], *, k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first ``k`` with linear gains (Järvelin and Kekäläinen, 2002)."""

    def gain(values: Sequence[float]) -> float:
        return sum(value / log2(rank + 1) for rank, value in enumerate(values, 1))

    best = gain(sorted(grades.values(), reverse=True)[:k])
    return gain([grades.get(item, 0.0) for item in ranked[:k]]) / best if best else 0.0
