"""A ranking learned from labels: a few numbers about each passage that a search found, weighed by how people judged such passages.

Six weights cannot learn a subject, only what to trust in a corpus: words, vectors, titles, or that passages found together belong together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.types import RetrieverError

FEATURES = ("fused", "cosine", "words", "echo", "neighbours", "title")
"""The fused score; cosine; BM25; cosine to the question moved towards the first found (Rocchio, 1971); how well the most similar
other candidates do (the cluster hypothesis: van Rijsbergen, 1979); the share of the question's rare words in the title."""
ECHOED, ECHO = 5, 0.5  # passages found first that the question is moved towards, and how far
NEIGHBOURS = 5
_PULL = 0.01  # of the ranking that is there without labels; development halves: 0.003 to 0.03 make no difference
_STEPS, _TOLERANCE = 50, 1e-8


@dataclass(frozen=True)
class Candidates:
    """What one question is chosen from: passage ids, best first as fused, and their features, ``(len(ids), len(FEATURES))``."""

    ids: tuple[int, ...]
    features: NDArray[np.float64]


@dataclass(frozen=True)
class Reranker:
    """``weights`` of :data:`FEATURES`, each of which has mean 0 and deviation 1 within one question's candidates."""

    weights: tuple[float, ...]

    def deal(self, candidates: Candidates, fused: Mapping[int, float]) -> dict[int, float]:
        """The candidates' own fused scores dealt out anew, best first: what a lift is worth, and what people see, stays of one scale."""
        order = np.argsort(-(candidates.features @ np.array(self.weights)), kind="stable")
        return {candidates.ids[place]: fused[id] for place, id in zip(order, candidates.ids, strict=True)}

    def to_json(self) -> dict[str, float]:
        return dict(zip(FEATURES, self.weights, strict=True))

    @classmethod
    def from_json(cls, saved: object, *, folder: Path) -> "Reranker":
        """What was saved in ``folder``. Raises :class:`RetrieverError` for other features than these or weights that are no numbers."""
        weights = [saved[name] for name in FEATURES] if isinstance(saved, dict) and set(saved) == set(FEATURES) else []
        if not weights or not all(isinstance(weight, int | float) and abs(weight) < 1e6 for weight in weights):
            raise RetrieverError(
                f"The learned ranking in {folder} is damaged or of another version; restore it from a backup."
            )
        return cls(tuple(float(weight) for weight in weights))


def features_of(
    *,
    fused: Sequence[float],
    question: NDArray[np.float32],
    vectors: NDArray[np.float32],
    words: NDArray[np.float32],
    titles: Sequence[float],
) -> NDArray[np.float64]:
    """``(n, len(FEATURES))`` for the ``n`` candidates of one question, best first as fused; ``vectors`` are theirs, ``(n, d)``."""
    cosines, by_words = _standard(vectors @ question), _standard(words)
    shares = 1 / np.arange(1, min(ECHOED, len(vectors)) + 1)
    echo = vectors @ (question + ECHO * (shares / shares.sum()) @ vectors[:ECHOED])
    near = _neighbours(vectors, cosines + by_words)
    return np.stack([_standard(fused), cosines, by_words, _standard(echo), near, _standard(titles)], axis=1)


def _standard(values: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    deviation = float(found.std())
    return (found - found.mean()) / deviation if deviation > 1e-9 else np.zeros(len(found))


def _neighbours(vectors: NDArray[np.float32], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean score of each candidate's most similar others."""
    count = min(NEIGHBOURS, len(vectors) - 1)
    if count < 1:
        return np.zeros(len(vectors))
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -np.inf)
    nearest = np.argpartition(-alike, count - 1, axis=1)[:, :count]
    return _standard(scores[nearest].mean(axis=1))


def train_reranker(shown: Sequence[Candidates], right: Sequence[Sequence[int]]) -> Reranker | None:
    """Weights under which each question's ``right`` passages come before its other candidates; None when no right one is among them.

    Softmax loss of each right passage against the wrong ones (listwise; Cao et al., 2007), with a quadratic pull to the fused score
    alone, so that few labels change little. Convex: Newton's method finds the one minimum, the same on every machine.
    """
    behind = [
        candidates.features[wrong] - candidates.features[place]
        for candidates, passages in zip(shown, right, strict=True)
        for place, wrong in _places(candidates, passages)
    ]
    if not behind:
        return None
    start = np.zeros(len(FEATURES))
    start[0] = 1.0
    return Reranker(tuple(float(weight) for weight in _minimum(behind, start)))


def _places(candidates: Candidates, right: Sequence[int]) -> list[tuple[int, NDArray[np.intp]]]:
    """The place of each right candidate, with those of all wrong ones."""
    is_right = np.isin(candidates.ids, list(right))
    wrong = np.flatnonzero(~is_right)
    return [(int(place), wrong) for place in np.flatnonzero(is_right)] if len(wrong) else []


def _minimum(behind: Sequence[NDArray[np.float64]], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's method with halved steps on the mean of ``log(1 + sum(exp(rows @ weights)))`` and the pull towards ``start``."""
    weights = start
    loss, slope, curve = _derivatives(behind, weights, start)
    for _ in range(_STEPS):
        step = np.linalg.solve(curve, slope)
        if float(slope @ step) < _TOLERANCE:
            break
        for share in (1.0, 0.5, 0.25, 0.1, 0.01):
            moved = _derivatives(behind, weights - share * step, start)
            if moved[0] < loss:
                weights = weights - share * step
                loss, slope, curve = moved
                break
        else:
            break
    return weights


def _derivatives(
    behind: Sequence[NDArray[np.float64]], weights: NDArray[np.float64], start: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """The loss, its gradient ``(f,)`` and its second derivatives ``(f, f)``."""
    size, away = len(weights), weights - start
    loss, slope, curve = 0.0, np.zeros(size), np.zeros((size, size))
    for rows in behind:
        scores = rows @ weights
        highest = max(0.0, float(scores.max()))
        shares = np.exp(scores - highest)
        total = float(shares.sum()) + np.exp(-highest)
        shares /= total
        mean = shares @ rows
        loss += highest + np.log(total)
        slope += mean
        curve += (rows * shares[:, None]).T @ rows - np.outer(mean, mean)
    count = len(behind)
    return (
        loss / count + _PULL * float(away @ away),
        slope / count + 2 * _PULL * away,
        curve / count + 2 * _PULL * np.eye(size),
    )
