"""Question answering: the format, the choice among passages, the metrics and the calibration of "not answerable".

The prompt puts the context first, then the question, then the answer, so that one context serves many questions.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from training import metrics
from training.answerability import Likeness, Seen
from training.bootstrap import Interval, interval_of
from training.calibration import (
    calibrated,
    choose_threshold,
    decide,
    effective,
    judging_among,
    share_to_recognise,
    span_f1,
)
from training.judge import Judge
from training.lessons import Lessons, Material
from training.likeness import judge_by_likeness, likenesses, seen_in, weigh
from training.thresholds import RECOGNISED
from training.types import Example, FitConfig, Gold, Input, Prediction, Reading, Report, Target

NAME = "qa"
TITLE = "Question answering"
PROMPT_VERSION = "qa-1"
USES_PASSAGES = True
PRIMARY_METRIC = "f1"
METRICS = {
    "exact_match": "Exact match",
    "f1": "F1",
    "answerable_f1": "F1 on answerable questions",
    "unanswerable_accuracy": "Unanswerable recognised",
    "span_f1": "F1 of the best answer, threshold ignored",
    "answerability_auroc": "Answerable or not, AUROC",
    "answerable_f1_at_75": "Answerable F1 with 75 % of unanswerable recognised",
    "rouge_l": "ROUGE-L",
}
MEANINGS = {
    "exact_match": "How often the answer is right word for word; capitals, punctuation and articles do not count. A question without an answer "
    "is right when the model says so.",
    "f1": "How much an answer has in common with the right one, in words: 100 % is word for word right, 0 % has no word in common. Half of "
    "the right words and nothing else gives 67 %. A question without an answer gives 100 % when the model says so, else 0 %.",
    "answerable_f1": "F1 on the questions that have an answer; saying that there is none gives 0 %.",
    "unanswerable_accuracy": "Of the questions without an answer, how many the model says so of.",
    "span_f1": "F1 on the questions that have an answer if the model always had to give its best guess: how well it reads, whatever it refuses.",
    "answerability_auroc": "How well the model's confidence tells questions with an answer from those without: 100 % tells all, 50 % is a "
    "coin toss. It is the area under the ROC curve.",
    "answerable_f1_at_75": "F1 on the questions that have an answer if the model were set to recognise 75 % of those without. So models can be "
    "compared however readily each refuses.",
    "rouge_l": "Like F1, but the words must come in the same order: it is made of the longest sequence of words in common.",
}
GUARDS = {"answerable_f1": 0.05, "unanswerable_accuracy": 0.10}
EXPORTS = {"squad": ("SQuAD v2 JSON: what other question answering tools read", "training.squad_labels:write")}
READERS = {"gold": "training.squad:read"}

NOT_ANSWERABLE = "not answerable"
ESCAPE = "\\"
UNTRAINED_ROWS = 500
"""Labelled rows that the model is asked before it learns them: more would not change what they tell, and each is read once."""
READ_AT_ONCE = 32

LABELLED = frozenset({"accept", "correct", "negative"})
"""Kinds of examples that come from a person's judgement of one passage."""


def format(text: str, passage: str) -> str:
    """The prompt for one question and one passage; a generative model continues it with ``format_target``."""
    return f"Context: {passage.strip()}\nQuestion: {text.strip()}\nAnswer:"


def format_target(target: Target) -> str:
    """The continuation of the prompt. The leading space belongs to the first word, as byte-pair tokenizers have it."""
    if not target.answerable:
        return f" {NOT_ANSWERABLE}"
    # An answer that reads like the refusal is told apart from it by an escape.
    escaped = ESCAPE if target.text.lstrip(ESCAPE).casefold() == NOT_ANSWERABLE else ""
    return f" {escaped}{target.text}"


def parse(output: str) -> Target:
    """The target behind a model's output: the inverse of ``format_target`` for every stripped text."""
    text = output.strip()
    if text.casefold() == NOT_ANSWERABLE:
        return Target("", answerable=False)
    if text.startswith(ESCAPE) and text.lstrip(ESCAPE).casefold() == NOT_ANSWERABLE:
        text = text[len(ESCAPE) :]
    return Target(text)


def predict(answerer: Any, inputs: Sequence[Input]) -> list[Prediction]:
    """Read every passage of every input and keep the best reading of each; no passage means not answerable."""
    pairs = [(each.text, passage) for each in inputs for passage in each.passages]
    readings = iter(answerer.read(pairs))
    chosen = [_choose([next(readings) for _ in each.passages], answerer.settings) for each in inputs]
    if answerer.settings.answerability is not None:
        alike = likenesses(answerer, inputs, chosen)
        chosen = [weigh(one, near, answerer.settings.answerability) for one, near in zip(chosen, alike, strict=True)]
    return [decide(prediction, answerer.settings.answerable_threshold) for prediction in chosen]


def _choose(readings: Sequence[Reading], settings: Any) -> Prediction:
    """The reading most likely to be an answer: probability that one is there times that of its words, earlier rank first."""
    found = [i for i, reading in enumerate(readings) if reading.text]
    if not found:
        return Prediction("", False, 1.0, 0.0, 0.0, "", prompt_version=settings.prompt_version)
    place = max(found, key=lambda i: (_strength(readings[i]), -i))
    best = readings[place]
    return Prediction(
        text=best.text,
        answerable=True,
        score=best.answerable_score,
        answerable_score=best.answerable_score,
        log_probability=best.log_probability,
        best_text=best.text,
        passage=place,
        start=best.start,
        end=best.end,
        prompt_version=settings.prompt_version,
    )


def _strength(reading: Reading) -> float:
    return math.log(max(reading.answerable_score, 1e-12)) + reading.log_probability


def fit(
    answerer: Any,
    train: Sequence[Example],
    validation: Sequence[Gold],
    *,
    folder: Path,
    config: FitConfig,
    report: Report,
    log: Callable[[dict[str, float]], None],
    lessons: Lessons = Lessons(),
    material: Material = Material(),
) -> Any:
    """Fine-tune ``answerer`` on ``train`` and what ``lessons`` adds from ``material``, choose its weights by ``validation``,
    calibrate it there, and return it."""
    from training.stages import learn

    answerer.settings = answerer.settings.alone()
    teaches = bool(validation) and not lessons.only_warm_up
    likeness = teaches and lessons.similarity and answerer.similarity is not None
    # Starting data keeps what the model knew by itself; more of the old weights would only slow the new down.
    is_rehearsed = lessons.rehearsal and any(row.kind == "rehearsal" for row in train)
    rejects = material.rejects if lessons.rejects else ()
    asked = [*train, *rejects] if teaches and (likeness or not is_rehearsed) else ()
    untrained = _ask_untrained(answerer, asked, report, likeness=likeness)
    judging = judging_among(validation)
    share = share_to_recognise(predict(answerer, _inputs(judging)), judging)
    judge = Judge(
        lambda: _validate(answerer, validation),
        lambda: predict(answerer, _inputs(validation)),
        lambda before, after: selection_gain(before, after, validation),
        known=0.0 if is_rehearsed else untrained.known,
        answers=sum(_is_labelled(row) and row.target.answerable for row in train),
    )
    learn(
        answerer, train, judge=judge if validation else None, folder=folder, config=config, report=report, log=log,
        lessons=lessons, material=material,
    )  # fmt: skip
    if validation:
        report(1.0, "Calibrating what counts as answerable")
        alone = predict(answerer, _inputs(judging))
        answerer.settings = calibrated(answerer.settings, alone, judging, share=share)
        if likeness:
            log(judge_by_likeness(answerer, untrained.seen, alone, judging, share=share))
    return answerer


@dataclass(frozen=True)
class Untrained:
    """What a model says to labelled rows before it learns them. ``known``: the mean F1 of its best answers where there is one, 0 without
    any; ``seen``: its odds beside the likeness, where that was asked for."""

    known: float
    seen: Seen


def _ask_untrained(answerer: Any, train: Sequence[Example], report: Report, *, likeness: bool) -> Untrained:
    # That an answer in words is wrong says nothing about whether there is another; that "not answerable" is wrong does.
    labelled = [row for row in train if _is_labelled(row) or _is_denied(row)]
    rows = labelled if len(labelled) <= UNTRAINED_ROWS else Random(0).sample(labelled, UNTRAINED_ROWS)
    inputs = [Input(str(i), row.text, (row.passage,)) for i, row in enumerate(rows)]
    predictions: list[Prediction] = []
    alike: list[Likeness | None] = []
    for first in range(0, len(rows), READ_AT_ONCE):
        report(0.0, f"Asking the model before training: {first} of {len(rows)}")
        part = inputs[first : first + READ_AT_ONCE]
        said = predict(answerer, part)
        predictions += said
        alike += likenesses(answerer, part, said) if likeness else [None] * len(part)
    answered = [(one, row) for one, row in zip(predictions, rows, strict=True) if row.target.answerable]
    known = (
        metrics.mean([metrics.token_f1(one.best_text, row.target.text) for one, row in answered]) if answered else 0.0
    )
    return Untrained(known, seen_in(predictions, alike, [row.target.answerable or _is_denied(row) for row in rows]))


def _is_labelled(row: Example) -> bool:
    return row.weight > 0 and row.kind in LABELLED


def _is_denied(row: Example) -> bool:
    """A person called "not answerable" wrong: the passage has an answer, though nobody said which."""
    return row.weight < 0 and not row.target.answerable


def _validate(answerer: Any, validation: Sequence[Gold]) -> dict[str, float]:
    """One validation pass: F1 under its own best threshold; ``selection``, which says which pass was best."""
    predictions = predict(answerer, _inputs(validation))
    threshold = choose_threshold(predictions, validation)
    scores = score([decide(prediction, threshold) for prediction in predictions], validation)
    selection = _selection(predictions, validation)(range(len(validation)))
    named = {f"validation_{key}": value for key, value in scores.items()}
    return {**named, "selection": selection}


def _selection(predictions: Sequence[Prediction], golds: Sequence[Gold]) -> Callable[[Sequence[int]], float]:
    """The figure that says which of two passes is better, as a function of the questions (their indices) that count.

    The mean of overall F1, best-span F1 and answerable F1 at 75 %: overall F1 rewards a model that refuses everything, the
    other two do not.
    """
    threshold = choose_threshold(predictions, golds)
    each = score_each([decide(prediction, threshold) for prediction in predictions], golds)
    answerable = [bool(metrics.accepted(gold.answers)) for gold in golds]
    scores = [effective(prediction) for prediction in predictions]

    def of(indices: Sequence[int]) -> float:
        rows = [each[i] for i in indices]
        positives = [answerable[i] for i in indices]
        judged = [metrics.mean([row["f1"] for row in rows])]
        if any(positives):
            judged.append(metrics.mean([row["span_f1"] for row, is_one in zip(rows, positives, strict=True) if is_one]))
        if any(positives) and not all(positives):
            judged.append(_answerable_f1_at(RECOGNISED, [scores[i] for i in indices], rows, positives))
        return metrics.mean(judged)

    return of


def selection_gain(before: Sequence[Prediction], after: Sequence[Prediction], golds: Sequence[Gold]) -> Interval:
    """How much better ``after`` is than ``before`` on the same questions, each under its own best threshold, with its interval."""
    old, new = _selection(before, golds), _selection(after, golds)
    return interval_of(lambda indices: new(indices) - old(indices), len(golds))


def _inputs(golds: Sequence[Gold]) -> list[Input]:
    return [gold.input for gold in golds]


def score_each(predictions: Sequence[Prediction], golds: Sequence[Gold]) -> list[dict[str, float]]:
    """Exact match, F1 and ROUGE-L of each question against its acceptable answers, and F1 with the threshold ignored."""
    return [_score_one(prediction, gold) for prediction, gold in zip(predictions, golds, strict=True)]


def _score_one(prediction: Prediction, gold: Gold) -> dict[str, float]:
    answers = metrics.accepted(gold.answers)
    return {
        "exact_match": metrics.best_against(metrics.exact_match, prediction.text, answers),
        "f1": metrics.best_against(metrics.token_f1, prediction.text, answers),
        "rouge_l": metrics.best_against(metrics.rouge_l, prediction.text, answers),
        "span_f1": span_f1(prediction, gold),
    }


def score(predictions: Sequence[Prediction], golds: Sequence[Gold]) -> dict[str, float]:
    """The metrics of :data:`METRICS` over a set; those that the set cannot define (no unanswerable question, say) are left out."""
    if not golds:
        return {}
    each = score_each(predictions, golds)
    answerable = [bool(metrics.accepted(gold.answers)) for gold in golds]
    result = {key: metrics.mean([row[key] for row in each]) for key in ("exact_match", "f1", "rouge_l")}
    if any(answerable):
        rows = [row for row, is_answerable in zip(each, answerable, strict=True) if is_answerable]
        result |= {"answerable_f1": metrics.mean([row["f1"] for row in rows])}
        result |= {"span_f1": metrics.mean([row["span_f1"] for row in rows])}
    if not all(answerable):
        refused = [row["f1"] for row, is_answerable in zip(each, answerable, strict=True) if not is_answerable]
        result["unanswerable_accuracy"] = metrics.mean(refused)
    scores = [effective(prediction) for prediction in predictions]
    area = metrics.auroc(scores, answerable)
    if area is not None:
        result["answerability_auroc"] = area
        result["answerable_f1_at_75"] = _answerable_f1_at(RECOGNISED, scores, each, answerable)
    return {key: result[key] for key in METRICS if key in result}


def count_guarded(golds: Sequence[Gold]) -> dict[str, int]:
    """How many questions each metric of :data:`GUARDS` is the mean of."""
    answerable = sum(gold.answerable for gold in golds)
    return {"answerable_f1": answerable, "unanswerable_accuracy": len(golds) - answerable}


def _answerable_f1_at(
    share: float, scores: Sequence[float], each: Sequence[dict[str, float]], answerable: Sequence[bool]
) -> float:
    threshold = metrics.threshold_at([s for s, positive in zip(scores, answerable, strict=True) if not positive], share)
    rows = zip(scores, each, answerable, strict=True)
    return metrics.mean([row["span_f1"] if value >= threshold else 0.0 for value, row, positive in rows if positive])


def calibrate(answerer: Any, golds: Sequence[Gold]) -> float:
    """Choose the answerable threshold on ``golds``, near the one it has where they cannot tell, store it in the answerer's settings
    and return it."""
    answerer.settings = calibrated(answerer.settings, predict(answerer, _inputs(golds)), golds, share=RECOGNISED)
    return float(answerer.settings.answerable_threshold)
