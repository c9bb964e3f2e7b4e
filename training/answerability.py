"""Whether a passage answers a text, from three signs: the reader's own odds, and how alike the text is to the passage and to the answer.

A reader learns from a few hundred labels where an answer lies, but hardly when there is none. How alike a question and the nearest
sentence of its passage are tells the latter with no training at all, and so does how alike it and the answer's own words are; what that
is worth beside the reader's odds is learned from the labels by logistic regression, in two steps, since a reader's odds on rows it was
trained on say nothing:

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

ODDS_PRIOR = (0.2, 0.7)
"""Median of the weight of the reader's own log-odds before any label is seen, and the standard deviation of that weight's logarithm: trained
readers are too sure, and what a few labels say against their odds is mostly chance. So the weight never comes to zero or below, and
labels that show that the odds tell much raise it to one and beyond."""

SIMILARITY_PRIOR = (0.45, 0.3)
"""Mean and standard deviation of the weight of the passage's likeness, in log-odds for one standard deviation of it: found with the shipped
reader on 500 questions about films (SubjQA), with which no published figure of likeness is measured. With no label against it, likeness counts
a little; labels have the last word."""

ANSWER_PRIOR = (0.2, 0.3)
"""The same of the answer's likeness, a guess that is wide: development rows did as well with means of 0.1 to 0.3. The weight may come out
below zero: there are texts whose wrong answers repeat the question."""

LEAST_SPREAD = 1e-3
"""Similarities that differ by less than this tell nothing apart."""

ODDS = 1  # which of the signs
NARROW, WIDE = 1e-6, 100.0
LEAST_FALL = 1e-4  # of what the slope promises (Armijo's rule)
LARGEST_ODDS = 12.0
Z_95 = 1.96
LARGEST_LOG = 5.0
STEPS = 100
CLOSE = 1e-9


class Similarity(Protocol):
    """How alike each (text, passage) is, higher is more; ``identity`` names what measures it."""

    @property
    def identity(self) -> str: ...

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]: ...


@dataclass(frozen=True)
class Likeness:
    """How alike a text is to the nearest sentence of its ``passage``, and to the words of the ``answer`` that was read there."""

    passage: float
    answer: float


@dataclass(frozen=True)
class Weights:
    """``bias + odds * log-odds of the reader + similarity * likeness.passage + answer * likeness.answer`` are the log-odds that the passage
    holds an answer.

    ``low`` and ``high`` are the 95 % interval of ``similarity``; ``identity`` names what measured likeness.
    ``threshold_alone`` is the answerable threshold for the reader's own odds, for when that cannot be asked.
    """

    bias: float
    odds: float
    similarity: float
    low: float
    high: float
    identity: str
    threshold_alone: float = 0.5
    answer: float = 0.0

    def __call__(self, score: float, likeness: Likeness) -> float:
        """The probability of an answer from the reader's own, and how alike text, passage and answer are."""
        log_odds = self.bias + self.odds * _log_odds(score)
        log_odds += self.similarity * likeness.passage + self.answer * likeness.answer
        return 1 / (1 + math.exp(-min(max(log_odds, -700.0), 700.0)))


@dataclass(frozen=True)
class Seen:
    """Rows to learn from, one value each: what is alike, the probability of an answer by a reader not trained on the row, and whether
    there is one."""

    likenesses: Sequence[Likeness]
    scores: Sequence[float]
    answerable: Sequence[bool]


def learn(train: Seen, validation: Seen, *, identity: str) -> Weights | None:
    """The weights, or None where either set holds one class only, the similarities are all alike, or they speak against an
    answer."""
    if any(len(set(seen.answerable)) < 2 for seen in (train, validation)):
        return None
    signs = _signs(train)
    units = np.std(signs[:, 2:], axis=0)
    if units[0] < LEAST_SPREAD:
        return None
    # Answers that are all alike tell nothing, whatever others may be like: their weight stays zero.
    means, spreads = np.array([SIMILARITY_PRIOR, ANSWER_PRIOR]).T / np.where(units < LEAST_SPREAD, np.inf, units)
    spreads = np.maximum(spreads, NARROW)
    odds, log_spread = math.log(ODDS_PRIOR[0]), ODDS_PRIOR[1]
    first, errors = _regress(signs, train.answerable, mean=[0.0, odds, *means], sd=[WIDE, log_spread, *spreads])
    second, errors = _regress(
        _signs(validation), validation.answerable, mean=[0.0, *first[1:]], sd=[WIDE, log_spread, *errors[2:]]
    )
    bias, odds, similarity, answer = (float(weight) for weight in _weights(second))
    if similarity <= 0:
        return None
    half = Z_95 * float(errors[2])
    return Weights(bias, odds, similarity, similarity - half, similarity + half, identity, answer=answer)


def _signs(seen: Seen) -> NDArray[np.float64]:
    """(rows, 4): one, the reader's log-odds, how alike the passage is, and how alike the answer."""
    rows = zip(seen.scores, seen.likenesses, strict=True)
    signs = [(1.0, _log_odds(score), likeness.passage, likeness.answer) for score, likeness in rows]
    return np.array(signs, dtype=np.float64).reshape(-1, 4)


def _regress(
    signs: NDArray[np.float64], answerable: Sequence[bool], *, mean: Sequence[float], sd: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logistic regression by Newton's method with Gaussian priors: the likeliest values, which are the signs' weights but for the *logarithm* of
    the odds' weight, and their standard deviations, (signs,) each."""
    target, centre = np.array(answerable, float), np.array(mean)
    precision = 1 / np.square(np.array(sd))

    def cost(values: NDArray[np.float64]) -> float:
        odds = signs @ _weights(values)
        return float((np.logaddexp(0, odds) - target * odds).sum() + (precision * (values - centre) ** 2).sum() / 2)

    values = centre.copy()
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(signs @ _weights(values), -30, 30)))
        # How the log-odds move with each value: the odds' weight moves by itself times the step of its logarithm.
        moves = signs.copy()
        moves[:, ODDS] *= _weights(values)[ODDS]
        slope = moves.T @ (chance - target) + precision * (values - centre)
        curve = (moves.T * (chance * (1 - chance))) @ moves + np.diag(precision)
        step = np.linalg.solve(curve, slope)
        while cost(values) - cost(values - step) < LEAST_FALL * float(slope @ step) and np.abs(step).max() > CLOSE:
            step /= 2
        values = values - step
        if np.abs(step).max() <= CLOSE:
            break
    return values, np.sqrt(np.diag(np.linalg.inv(curve)))


def _weights(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The signs' weights: the odds' one is regressed as its logarithm."""
    weights = values.copy()
    weights[ODDS] = math.exp(min(values[ODDS], LARGEST_LOG))
    return weights


def _log_odds(score: float) -> float:
    kept = min(max(score, 1e-9), 1 - 1e-9)
    return max(-LARGEST_ODDS, min(math.log(kept / (1 - kept)), LARGEST_ODDS))
