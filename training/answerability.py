"""Whether a passage answers a text, from two signs: the reader's own odds, and how alike the text and the passage are.

A reader learns from a few hundred labels where an answer lies, but hardly when there is none. How alike a question and the nearest
sentence of its passage are tells the latter with no training at all; what it is worth beside the reader's odds is learned from the labels
by logistic regression, in two steps, since a reader's odds on rows it was trained on say nothing:

1. on the training rows, with the odds that the reader gave before it was trained on them;
2. on the validation rows, with the trained reader's odds and what step 1 found as the prior.

(Platt 1999, "Probabilistic outputs for support vector machines", with Gaussian priors.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ODDS_PRIOR = (0.3, 0.5)
"""Mean and standard deviation of the weight of the reader's own log-odds, before any label is seen: trained readers are too sure."""

SIMILARITY_PRIOR = (0.45, 0.3)
"""The same of the similarity's weight, in log-odds for one standard deviation of it: found with the shipped reader on 500 questions
about films (SubjQA), with which no published figure of likeness is measured. With no label against it, likeness counts a little; labels
have the last word."""

LEAST_SPREAD = 1e-3
"""Similarities that differ by less than this tell nothing apart."""

WIDE = 100.0
LARGEST_ODDS = 12.0
Z_95 = 1.96
STEPS = 100
CLOSE = 1e-9


class Similarity(Protocol):
    """How alike each (text, passage) is, higher is more; ``identity`` names what measures it."""

    @property
    def identity(self) -> str: ...

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]: ...


@dataclass(frozen=True)
class Weights:
    """``bias + odds * log-odds of the reader + similarity * similarity`` are the log-odds that the passage holds an answer.

    ``low`` and ``high`` are the 95 % interval of ``similarity``; ``identity`` names what measured it.
    ``threshold_alone`` is the answerable threshold for the reader's own odds, for when that cannot be asked.
    """

    bias: float
    odds: float
    similarity: float
    low: float
    high: float
    identity: str
    threshold_alone: float = 0.5

    def __call__(self, score: float, similarity: float) -> float:
        """The probability of an answer from the reader's own, and the similarity."""
        log_odds = self.bias + self.odds * _log_odds(score) + self.similarity * similarity
        return 1 / (1 + math.exp(-min(max(log_odds, -700.0), 700.0)))


@dataclass(frozen=True)
class Seen:
    """Rows to learn from, one value each: the similarity, the probability of an answer by a reader not trained on the row, and whether
    there is one."""

    similarities: Sequence[float]
    scores: Sequence[float]
    answerable: Sequence[bool]


def learn(train: Seen, validation: Seen, *, identity: str) -> Weights | None:
    """The weights, or None where either set holds one class only, the similarities are all alike, or they speak against an
    answer."""
    if any(len(set(seen.answerable)) < 2 for seen in (train, validation)):
        return None
    unit = float(np.std(train.similarities))
    if unit < LEAST_SPREAD:
        return None
    similarity, spread = (value / unit for value in SIMILARITY_PRIOR)
    first, errors = _regress(
        _signs(train), train.answerable, mean=[0.0, ODDS_PRIOR[0], similarity], sd=[WIDE, ODDS_PRIOR[1], spread]
    )
    second, errors = _regress(
        _signs(validation), validation.answerable, mean=[0.0, *first[1:]], sd=[WIDE, ODDS_PRIOR[1], errors[2]]
    )
    bias, odds, similarity = (float(weight) for weight in second)
    if similarity <= 0:
        return None
    half = Z_95 * float(errors[2])
    return Weights(bias, max(odds, 0.0), similarity, similarity - half, similarity + half, identity)


def _signs(seen: Seen) -> NDArray[np.float64]:
    """(rows, 3): one, the reader's log-odds, the similarity."""
    columns = [np.ones(len(seen.scores)), [_log_odds(score) for score in seen.scores], seen.similarities]
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _regress(
    signs: NDArray[np.float64], answerable: Sequence[bool], *, mean: Sequence[float], sd: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logistic regression by Newton's method: the weights of highest posterior and their standard deviations, (signs,) each."""
    target, centre = np.array(answerable, float), np.array(mean)
    precision = 1 / np.square(np.array(sd))

    def cost(weights: NDArray[np.float64]) -> float:
        odds = signs @ weights
        return float((np.logaddexp(0, odds) - target * odds).sum() + (precision * (weights - centre) ** 2).sum() / 2)

    weights = np.zeros(len(centre))
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(signs @ weights, -30, 30)))
        slope = signs.T @ (chance - target) + precision * (weights - centre)
        curve = (signs.T * (chance * (1 - chance))) @ signs + np.diag(precision)
        step = np.linalg.solve(curve, slope)
        while cost(weights - step) > cost(weights) and np.abs(step).max() > CLOSE:
            step /= 2
        weights = weights - step
        if np.abs(step).max() <= CLOSE:
            break
    return weights, np.sqrt(np.diag(np.linalg.inv(curve)))


def _log_odds(score: float) -> float:
    kept = min(max(score, 1e-9), 1 - 1e-9)
    return max(-LARGEST_ODDS, min(math.log(kept / (1 - kept)), LARGEST_ODDS))
