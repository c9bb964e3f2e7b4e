"""Which of a reader's answers are shown, and which become "not answerable": the threshold on the answerable score, chosen on judging questions.

The arithmetic on bare scores is in :mod:`training.thresholds`; here are predictions and gold.
"""

from collections.abc import Sequence
from dataclasses import replace

from training import metrics, thresholds
from training.answerers.settings import Settings
from training.thresholds import RECOGNISED
from training.types import Gold, Prediction

LEAST_OWN = 8
"""Answerable and unanswerable questions of a project's own, each, that its threshold is chosen on without starting data."""


def decide(prediction: Prediction, threshold: float) -> Prediction:
    """The same prediction under another threshold: shown as an answer, or as "not answerable"."""
    score = prediction.answerable_score
    if prediction.best_text and score >= threshold:
        return replace(prediction, text=prediction.best_text, answerable=True, score=score)
    return replace(prediction, text="", answerable=False, score=1 - score)


def span_f1(prediction: Prediction, gold: Gold) -> float:
    """F1 of the best answer, shown or not; 0 for a question without one."""
    answers = metrics.accepted(gold.answers)
    return metrics.best_against(metrics.token_f1, prediction.best_text, answers) if answers else 0.0


def effective(prediction: Prediction) -> float:
    """The answerable score; where nothing was found there is no threshold at which it would be answered."""
    return prediction.answerable_score if prediction.best_text else -1.0


def judging_among(validation: Sequence[Gold]) -> Sequence[Gold]:
    """The questions that say what counts as answerable: the project's own where there are enough of either kind. Starting data is easy to
    refuse, and a threshold found on it lets the project's own questions pass."""
    own = [gold for gold in validation if not gold.is_rehearsal]
    answerable = sum(gold.answerable for gold in own)
    return own if min(answerable, len(own) - answerable) >= LEAST_OWN else validation


def share_to_recognise(before: Sequence[Prediction], golds: Sequence[Gold]) -> float:
    """:func:`training.thresholds.share_to_recognise` of what a model said ``before`` it learned."""
    said = list(zip(before, golds, strict=True))
    return thresholds.share_to_recognise(
        refused=[not one.answerable for one, gold in said if not gold.answerable],
        answered=[one.answerable for one, gold in said if gold.answerable],
    )


def same_refusals(alone: Sequence[Prediction], weighed: Sequence[Prediction], golds: Sequence[Gold]) -> float:
    """The threshold at which ``weighed`` recognises as many of the unanswerable as ``alone`` did at its own."""
    places = [i for i, gold in enumerate(golds) if not gold.answerable]
    refused = sum(not alone[i].answerable for i in places)
    scores = sorted(effective(weighed[i]) for i in places)
    return max(0.0, metrics.above(scores[refused - 1])) if refused else 0.0


def calibrated(
    settings: Settings, predictions: Sequence[Prediction], golds: Sequence[Gold], *, share: float
) -> Settings:
    """``settings`` with the threshold that ``predictions`` on ``golds`` ask for, near the one they have."""
    threshold = choose_threshold(predictions, golds, near=settings.answerable_threshold, share=share)
    return settings.with_threshold(threshold)


def choose_threshold(
    predictions: Sequence[Prediction], golds: Sequence[Gold], *, near: float | None = None, share: float = RECOGNISED
) -> float:
    """The threshold of highest overall F1 among those that recognise a ``share`` of the unanswerable and lose at most 2 points of answerable F1
    against the best such one: overall F1 alone would often refuse everything. With one class only, the middle, as nothing can be
    learned about it.

    With ``near``, the threshold closest to it among those that are hardly worse than the best (:func:`training.thresholds.choose`).
    """
    positives = [bool(metrics.accepted(gold.answers)) for gold in golds]
    if not golds or all(positives) or not any(positives):
        return 0.5 if near is None else near
    found = zip(map(effective, predictions), positives, map(span_f1, predictions, golds), strict=True)
    return thresholds.choose(list(found), near=near, share=share)
