"""The likeness of question, passage and answer put beside a reader's own odds: asked of what it said, and learned from labels.

What the signs are worth is :mod:`training.answerability`'s; here they are read off predictions and put into an answerer's settings.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from training import answerability
from training.answerability import Likeness, Seen, Weights
from training.calibration import calibrated, decide, same_refusals
from training.types import Gold, Input, Prediction


def likenesses(answerer: Any, inputs: Sequence[Input], predictions: Sequence[Prediction]) -> list[Likeness | None]:
    """How alike each text is to the passage its answer was read in, and to the answer; None where nothing was read."""
    places = [i for i, prediction in enumerate(predictions) if prediction.passage is not None]
    passages = [(inputs[i].text, inputs[i].passages[predictions[i].passage or 0]) for i in places]
    answers = [(inputs[i].text, predictions[i].best_text) for i in places]
    values = answerer.similarity([*passages, *answers])
    found = dict(zip(places, map(Likeness, values[: len(places)], values[len(places) :]), strict=True))
    return [found.get(i) for i in range(len(predictions))]


def weigh(prediction: Prediction, likeness: Likeness | None, weights: Weights) -> Prediction:
    if likeness is None:
        return prediction
    return replace(prediction, answerable_score=weights(prediction.answerable_score, likeness))


def seen_in(predictions: Sequence[Prediction], alike: Sequence[Likeness | None], answerable: Sequence[bool]) -> Seen:
    """What the worth of likeness is learned from; a question nothing was read for is left out."""
    rows = zip(predictions, alike, answerable, strict=True)
    kept = [(near, one.answerable_score, is_one) for one, near, is_one in rows if near is not None]
    return Seen([near for near, _, _ in kept], [score for _, score, _ in kept], [is_one for _, _, is_one in kept])


def judge_by_likeness(
    answerer: Any, untrained: Seen, alone: Sequence[Prediction], validation: Sequence[Gold], *, share: float
) -> dict[str, float]:
    """Let the likeness of question, passage and answer count beside the reader's own odds, unless the labels speak against the passage's.
    ``alone``: what the trained reader says to ``validation`` by itself."""
    alike = likenesses(answerer, [gold.input for gold in validation], alone)
    labelled = [i for i, gold in enumerate(validation) if not gold.is_rehearsal]
    seen = seen_in(
        [alone[i] for i in labelled], [alike[i] for i in labelled], [validation[i].answerable for i in labelled]
    )
    weights = answerability.learn(untrained, seen, identity=answerer.similarity.identity)
    if weights is None:
        return {"similarity_weight": 0.0}
    weights = replace(weights, threshold_alone=answerer.settings.answerable_threshold)
    weighed = [weigh(one, near, weights) for one, near in zip(alone, alike, strict=True)]
    near = same_refusals([decide(one, weights.threshold_alone) for one in alone], weighed, validation)
    settings = replace(answerer.settings, answerability=weights, answerable_threshold=near)
    answerer.settings = calibrated(settings, weighed, validation, share=share)
    return {
        "similarity_weight": weights.similarity, "similarity_low": weights.low, "similarity_high": weights.high,
        "similarity_answer": weights.answer,
    }  # fmt: skip
