"""Whether there is an answer: the likeness of question and passage counts beside the reader's odds where labels show that it should."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import toys

from training import answerability, calibration
from training.answerability import Likeness, Seen
from training.answerers import load_answerer
from training.lessons import Lessons
from training.metrics import auroc
from training.tasks import get_task, qa
from training.types import FitConfig, Gold, Input, Prediction, TrainingError

QA = get_task("qa")


def chance(odds: float) -> float:
    return answerability.Weights(0.0, 1.0, 1.0, 0.0, 0.0, "")(0.5, Likeness(odds, 0.0))


def seen(count: int, *, similarity: float, odds: float, seed: int, answer: float = 0.0) -> Seen:
    """Rows whose signs are that many standard deviations apart between the classes."""
    chooser = Random(seed)
    answerable = [chooser.random() < 0.7 for _ in range(count)]
    passages = [0.5 + 0.1 * (chooser.gauss(0, 1) + similarity * one) for one in answerable]
    scores = [chance(chooser.gauss(0, 1) + odds * one) for one in answerable]
    answers = [0.3 + 0.2 * (chooser.gauss(0, 1) + answer * one) for one in answerable]
    return Seen([Likeness(*pair) for pair in zip(passages, answers, strict=True)], scores, answerable)


def with_passages(rows: Seen, passages: Sequence[float]) -> Seen:
    return replace(rows, likenesses=[Likeness(near, 0.0) for near in passages])


def area(weights: answerability.Weights, rows: Seen) -> float:
    combined = [weights(score, near) for score, near in zip(rows.scores, rows.likenesses, strict=True)]
    found = auroc(combined, rows.answerable)
    assert found is not None
    return found


def test_few_labels_teach_a_weight_that_tells_better_than_the_odds_alone() -> None:
    rows = {seed: seen(count, similarity=1.0, odds=0.5, seed=seed) for seed, count in ((1, 100), (2, 20), (3, 2000))}
    weights = answerability.learn(rows[1], rows[2], identity="one")
    assert weights is not None
    assert weights.low > 0
    assert weights.identity == "one"
    alone = auroc(rows[3].scores, rows[3].answerable)
    assert alone is not None
    assert area(weights, rows[3]) > alone + 0.08


@pytest.mark.parametrize("repeats", [False, True])
def test_a_likeness_that_tells_nothing_more_spoils_nothing(repeats: bool) -> None:
    rows = [seen(count, similarity=0.0, odds=2.0, seed=seed) for seed, count in ((1, 300), (2, 60), (3, 2000))]
    noise = Random(0)
    if repeats:  # what the odds say already
        rows = [with_passages(one, [score + noise.gauss(0, 0.3) for score in one.scores]) for one in rows]
    weights = answerability.learn(rows[0], rows[1], identity="")
    alone = auroc(rows[2].scores, rows[2].answerable)
    assert alone is not None
    assert weights is None or area(weights, rows[2]) > alone - 0.01


def test_a_likeness_that_speaks_against_an_answer_is_left_out() -> None:
    rows = [seen(count, similarity=-1.0, odds=1.0, seed=seed) for seed, count in ((1, 200), (2, 40))]
    assert answerability.learn(*rows, identity="") is None


def test_the_likeness_of_the_answers_own_words_counts_as_far_as_labels_show() -> None:
    told = [
        seen(count, similarity=0.5, odds=0.5, answer=1.5, seed=seed) for seed, count in ((1, 150), (2, 30), (3, 2000))
    ]
    weights = answerability.learn(told[0], told[1], identity="")
    assert weights is not None
    assert area(weights, told[2]) > area(replace(weights, answer=0.0), told[2]) + 0.08
    untold = [seen(count, similarity=1.0, odds=0.5, seed=seed) for seed, count in ((1, 150), (2, 30), (3, 2000))]
    weights = answerability.learn(untold[0], untold[1], identity="")
    assert weights is not None
    assert area(weights, untold[2]) > area(replace(weights, answer=0.0), untold[2]) - 0.01


def test_odds_that_are_surely_wrong_on_some_rows_leave_the_weights_what_they_are() -> None:
    # Newton's method overshoots here unless each step is made to go downhill.
    rows = [seen(count, similarity=1.5, odds=0.5, seed=seed) for seed, count in ((1, 400), (2, 100), (3, 2000))]
    sure = [replace(one, scores=[1e-9 if i % 4 == 0 else score for i, score in enumerate(one.scores)]) for one in rows]
    weights = answerability.learn(sure[0], sure[1], identity="")
    assert weights is not None
    assert weights.odds < 0.3
    assert area(weights, sure[2]) > 0.8


def test_odds_that_the_labels_call_useless_still_count_a_little() -> None:
    labelled = [seen(count, similarity=1.0, odds=-0.3, seed=seed) for seed, count in ((1, 200), (2, 40))]
    weights = answerability.learn(*labelled, identity="")
    assert weights is not None
    assert 0.05 < weights.odds < 0.2
    elsewhere = seen(2000, similarity=1.0, odds=0.7, seed=3)
    assert area(weights, elsewhere) > area(replace(weights, odds=0.0), elsewhere) + 0.01


def test_labels_raise_the_weight_of_odds_that_tell_much() -> None:
    rows = [seen(count, similarity=0.5, odds=2.0, seed=seed) for seed, count in ((1, 60), (2, 20), (3, 2000))]
    weights = answerability.learn(rows[0], rows[1], identity="")
    assert weights is not None
    assert weights.odds > 0.6
    alone = auroc(rows[2].scores, rows[2].answerable)
    assert alone is not None
    assert area(weights, rows[2]) > alone - 0.005


def test_labels_of_one_kind_teach_no_weight() -> None:
    rows = seen(40, similarity=2.0, odds=0.0, seed=1)
    one_kind = replace(rows, answerable=[True] * 40)
    assert answerability.learn(one_kind, rows, identity="") is None
    assert answerability.learn(rows, one_kind, identity="") is None


def test_similarities_that_are_all_alike_teach_no_weight() -> None:
    rows = seen(60, similarity=1.0, odds=1.0, seed=1)
    alike = with_passages(rows, [0.0] * 60)
    assert answerability.learn(alike, rows, identity="") is None
    assert answerability.learn(alike, alike, identity="") is None


@pytest.mark.parametrize("saved", [[], "on", {"bias": 1.0}, {"bias": "a"}, {"bias": float("nan")}])
def test_weights_that_are_not_what_was_saved_are_refused_in_a_sentence(
    tiny_span: Path, tmp_path: Path, saved: object
) -> None:
    answerer = load_answerer(tiny_span, QA, similarity=Topic())
    weights = answerability.Weights(0.0, 1.0, 2.0, 1.0, 3.0, Topic.identity)
    answerer.settings = replace(answerer.settings, answerability=weights)
    answerer.save(tmp_path / "saved")
    path = tmp_path / "saved" / "answerer.json"
    content = json.loads(path.read_text())
    whole = content["answerability"]
    if isinstance(saved, dict):  # one key missing, or one that is no number
        saved = {**whole, **saved} if saved["bias"] != 1.0 else {k: v for k, v in whole.items() if k != "similarity"}
    path.write_text(json.dumps({**content, "answerability": saved}))
    with pytest.raises(TrainingError, match=r"answerability in .*answerer\.json should hold"):
        load_answerer(tmp_path / "saved", QA, similarity=Topic())
    path.write_text(json.dumps({**content, "answerability": {**whole, "of_tomorrow": 1}}))
    assert load_answerer(tmp_path / "saved", QA, similarity=Topic()).settings.answerability is not None
    # What was saved before the answer's likeness counted, and before the threshold alone was kept.
    before = {key: value for key, value in whole.items() if key not in {"answer", "threshold_alone"}}
    path.write_text(json.dumps({**content, "answerability": before}))
    assert load_answerer(tmp_path / "saved", QA, similarity=Topic()).settings.answerability == weights


def test_answers_that_are_all_alike_count_nothing() -> None:
    rows = [seen(count, similarity=1.0, odds=0.5, seed=seed) for seed, count in ((1, 100), (2, 30))]
    alike = [with_passages(one, [likeness.passage for likeness in one.likenesses]) for one in rows]
    weights = answerability.learn(alike[0], alike[1], identity="")
    assert weights is not None
    assert abs(weights.answer) < 0.01


@pytest.mark.parametrize("count", [8, 40, 300])
def test_no_weights_near_the_learned_ones_are_likelier(count: int) -> None:
    rows = seen(count, similarity=1.0, odds=1.5, answer=1.0, seed=count)
    signs, mean, sd = answerability._signs(rows), [0.0, -1.6, 3.0, 1.0], [100.0, 0.7, 2.0, 1.5]
    found, _ = answerability._regress(signs, rows.answerable, mean=mean, sd=sd)

    def cost(values: np.ndarray) -> float:
        odds = signs @ np.array([values[0], np.exp(values[1]), *values[2:]])
        loss = np.logaddexp(0, odds) - np.array(rows.answerable) * odds
        return float(loss.sum() + (((values - mean) / sd) ** 2).sum() / 2)

    chooser = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1):
        assert all(cost(found + size * chooser.normal(size=4)) >= cost(found) for _ in range(50))


class Topic:
    """Knows whether a toy passage speaks of what the toy question asks for."""

    identity = "topic"

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [float(("live" in text) == ("lives" in passage)) for text, passage in pairs]


def fitted(base: Path, folder: Path, *, lessons: Lessons = Lessons()) -> tuple[Any, list[dict[str, float]]]:
    answerer = load_answerer(base, QA, similarity=Topic())
    said: list[dict[str, float]] = []
    config = FitConfig(epochs=1, batch_tokens=512, evaluations=1, learning_rate=1e-4)
    QA.fit(
        answerer, toys.toy_examples(60), toys.toy_golds(40), folder=folder, config=config, report=lambda *_: None, log=said.append,
        lessons=lessons,
    )  # fmt: skip
    return answerer, said


def test_an_iteration_learns_it_and_a_saved_model_judges_by_it(tiny_span: Path, tmp_path: Path) -> None:
    answerer, said = fitted(tiny_span, tmp_path / "run")
    assert said[-1]["similarity_low"] > 0
    golds = toys.toy_golds(60, seed=5)
    inputs = [Input(gold.id, gold.text, gold.passages) for gold in golds]
    predictions = QA.predict(answerer, inputs)
    assert sum(p.answerable == gold.answerable for p, gold in zip(predictions, golds, strict=True)) >= 57
    answerer.save(tmp_path / "saved")
    again = load_answerer(tmp_path / "saved", QA, similarity=Topic())
    assert QA.predict(again, inputs) == predictions


def test_easy_starting_data_does_not_choose_the_threshold(
    tiny_span: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[tuple[int, float]] = []
    calibrated = qa.calibrated
    monkeypatch.setattr(
        qa, "calibrated", lambda settings, said, golds, *, share: judged.append((len(golds), share)) or calibrated(settings, said, golds, share=share)
    )  # fmt: skip
    monkeypatch.setattr(qa, "share_to_recognise", lambda before, golds: 0.8 + len(before) / 1000)
    own = toys.toy_golds(40)
    starting = [replace(gold, is_rehearsal=True) for gold in toys.toy_golds(20, seed=3)]
    config = FitConfig(epochs=0.5, batch_tokens=512, evaluations=1, learning_rate=1e-4)
    QA.fit(
        load_answerer(tiny_span, QA), toys.toy_examples(20), [*own, *starting], folder=tmp_path, config=config,
        report=lambda *_: None, log=lambda _: None,
    )  # fmt: skip
    assert judged == [(40, pytest.approx(0.84))]


def test_the_threshold_starts_where_as_many_are_refused_as_before() -> None:
    golds = [Gold(str(i), "?", ("p",), ("a",) if i % 2 else ()) for i in range(8)]  # 0, 2, 4 and 6 have no answer
    alone = [calibration.decide(said(0.1 * i), 0.35) for i in range(8)]  # 0 and 2 are refused
    weighed = [said(score) for score in (0.6, 0.9, 0.5, 0.9, 0.8, 0.9, 0.7, 0.9)]
    assert calibration.same_refusals(alone, weighed, golds) == pytest.approx(0.6)
    none_refused = [calibration.decide(said(0.9), 0.35)] * 8
    assert calibration.same_refusals(none_refused, weighed, golds) == 0.0


def said(score: float) -> Prediction:
    return Prediction("x", True, score, score, 0.0, "x", 0)


def test_without_what_it_was_calibrated_with_a_model_judges_by_its_own_odds(tiny_span: Path, tmp_path: Path) -> None:
    answerer, _ = fitted(tiny_span, tmp_path / "run")
    answerer.save(tmp_path / "saved")
    other = Topic()
    other.identity = "another encoder"
    for similarity in (None, other):
        alone = load_answerer(tmp_path / "saved", QA, similarity=similarity)
        assert alone.settings.answerability is None
        assert alone.settings.answerable_threshold == answerer.settings.answerability.threshold_alone


def test_switched_off_it_is_not_looked_at(tiny_span: Path, tmp_path: Path) -> None:
    answerer, said = fitted(tiny_span, tmp_path / "run", lessons=Lessons(similarity=False))
    assert answerer.settings.answerability is None
    assert not any("similarity_weight" in point for point in said)
