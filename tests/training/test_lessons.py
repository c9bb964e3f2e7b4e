"""What an iteration learns beside the labelled answers: every switch changes the rows or the steps, and preferences are judged."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toys

from training import answerability, stages
from training.answerers import load_answerer
from training.bootstrap import Interval
from training.fit import Fitted
from training.judge import Judge
from training.lessons import Lessons, Material, count_rows, learning_rows, practice_rows
from training.preferences import LEAST_PAIRS, prefer, usable_pairs
from training.stages import learn
from training.tasks import get_task, qa
from training.types import Example, FitConfig, Gold, Prediction, Preference, Reading, Target, TrainingError
from training.variations import canonical

QA = get_task("qa")
CONFIG = FitConfig(epochs=0.5, learning_rate=1e-3, batch_tokens=512, evaluations=1, save_every_s=0.0)
LABELLED = [Example("Where does Anna live ?", "Anna lives in Rome .", Target("Rome", start=14), 0.5, "correct", 7)]
OLD = [Example("What does Boris work as ?", "Boris works as a pilot .", Target("pilot"), kind="rehearsal")]
REJECT = Example("Where does Anna live ?", "Anna lives in Rome .", Target("Anna"), -0.1, "reject", 8)
PASSED_OVER = (Example("Where does Anna live ?", "Olga lives in Oslo .", Target("", False), 0.5, "passed_over", 7),)
CORPUS = tuple(
    f"{name} lives near the old harbour of {city}. The old harbour of {city} is known to every sailor." for name, city in
    zip(toys.NAMES, toys.CITIES * 2, strict=False)
)  # fmt: skip
SURE = Interval(0.2, 0.1, 0.3, 10)
UNSURE = Interval(0.2, -0.01, 0.4, 10)


def kinds(lessons: Lessons) -> dict[str, int]:
    return count_rows(learning_rows([*LABELLED, *OLD], lessons, Material(rejects=(REJECT,), passed_over=PASSED_OVER)))


def test_each_switch_gives_or_takes_its_rows() -> None:
    assert kinds(Lessons()) == {"correct": 1, "rehearsal": 1}
    assert kinds(Lessons(rehearsal=False)) == {"correct": 1}
    assert kinds(Lessons(variations=2)) == {"correct": 1, "rehearsal": 1, "variation": 2}
    assert kinds(Lessons(passed_over=1)) == {"correct": 1, "passed_over": 1, "rehearsal": 1}
    assert kinds(Lessons(rejects=True)) == {"correct": 1, "rehearsal": 1, "reject": 1}


def test_labels_that_say_not_answerable_can_be_left_to_judge_alone() -> None:
    none, old = (
        replace(LABELLED[0], target=Target("", False), kind="negative"),
        replace(OLD[0], target=Target("", False)),
    )
    rows = [LABELLED[0], none, old]
    assert learning_rows(rows, Lessons(variations=1))[:3] == rows
    kept = learning_rows(rows, Lessons(abstention=False, variations=1))
    assert [row.kind for row in kept] == ["correct", "rehearsal", "variation"]
    assert all(row.target.answerable for row in kept if row.kind != "rehearsal")


def test_a_variation_asks_the_same_and_keeps_answer_weight_and_label() -> None:
    rows = [row for row in learning_rows(LABELLED, Lessons(variations=5)) if row.kind == "variation"]
    assert len({row.text for row in rows} - {LABELLED[0].text}) == 5
    for row in rows:
        assert canonical(row.text) == canonical(LABELLED[0].text)
        assert dataclasses.replace(row, text=LABELLED[0].text, kind="correct") == LABELLED[0]
    assert rows == [row for row in learning_rows(LABELLED, Lessons(variations=5)) if row.kind == "variation"]


def test_a_small_weight_pulls_less_than_a_large_one_whatever_else_is_in_the_batch(answerer: Any) -> None:
    def loss(*examples: Example) -> float:
        batch = answerer.collate(answerer.encode(examples))
        return float(answerer.loss(answerer.model, batch).item())

    half, other = LABELLED[0], OLD[0]
    alone = loss(dataclasses.replace(half, weight=1.0))
    assert loss(half) == pytest.approx(alone / 2, rel=1e-3)
    assert loss(half, other) == pytest.approx((alone / 2 + loss(other)) / 2, rel=1e-3)


def test_practice_hides_what_recurs_in_the_corpus_and_points_at_where_it_still_stands() -> None:
    rows = practice_rows(CORPUS)
    assert rows
    for row in rows:
        assert row.kind == "practice"
        assert row.target.start is not None
        assert row.passage[row.target.start :].startswith(row.target.text)
    assert not practice_rows(["Nothing here is said twice."])


@pytest.fixture
def answerer(tiny_causal: Path) -> Any:
    return load_answerer(tiny_causal, QA)


def run(
    answerer: Any, folder: Path, lessons: Lessons, material: Material = Material(), **changes: Any
) -> list[dict[str, float]]:
    points: list[dict[str, float]] = []
    values: dict[str, Any] = {"judge": None, "config": CONFIG, "report": lambda *_: None, **changes}
    learn(
        answerer, toys.toy_examples(12), folder=folder, log=points.append, lessons=lessons, material=material, **values
    )
    return points


def weights(answerer: Any) -> list[Any]:
    return [value.detach().clone() for value in answerer.model.parameters()]


def is_changed(first: list[Any], second: list[Any]) -> bool:
    return any(not a.equal(b) for a, b in zip(first, second, strict=True))


def test_the_run_says_what_it_learned_from(answerer: Any, tmp_path: Path) -> None:
    points = run(answerer, tmp_path, Lessons(variations=1, rejects=True), Material(rejects=(REJECT,)))
    assert points[0] == {"step": 0, "fraction": 0.0, "rows_accept": 12, "rows_reject": 1, "rows_variation": 12}


def test_variations_and_rejects_do_not_make_few_labels_enough(answerer: Any, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="only 1 labelled examples"):
        learn(
            answerer, LABELLED, judge=None, folder=tmp_path, config=CONFIG, report=lambda *_: None, log=lambda _: None,
            lessons=Lessons(variations=8, rejects=True), material=Material(rejects=(REJECT,) * 8),
        )  # fmt: skip


@pytest.mark.parametrize("architecture", ["causal", "span"])
def test_a_warm_up_practises_on_the_corpus_before_the_labels(
    architecture: str, tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    messages: list[str] = []

    def report(_: float, message: str) -> None:
        messages.append(message)

    plain, warmed = (load_answerer(tiny_models[architecture], QA) for _ in range(2))
    run(plain, tmp_path / "plain", Lessons(), Material(passages=CORPUS))
    points = run(warmed, tmp_path / "warmed", Lessons(warm_up=True), Material(passages=CORPUS), report=report)
    assert points[0]["rows_practice"] > 0
    warm, labels = (
        next(i for i, m in enumerate(messages) if m.startswith(start)) for start in ("Warm-up: Step", "Step")
    )
    assert warm < labels
    assert is_changed(weights(plain), weights(warmed))


def test_a_corpus_without_anything_that_recurs_needs_no_warm_up(answerer: Any, tmp_path: Path) -> None:
    points = run(answerer, tmp_path, Lessons(warm_up=True), Material(passages=("Nothing twice.",)))
    assert "rows_practice" not in points[0]


def preferences(count: int) -> tuple[Preference, ...]:
    rows = [(question, passage, answer) for question, passage, answer in toys.toy_rows(10 * count) if answer][:count]
    return tuple(Preference(q, p, Target(a), Target(p.split()[0]), label=i) for i, (q, p, a) in enumerate(rows))


def judge(gain: Interval) -> Judge:
    return Judge(lambda: {"selection": 0.0}, lambda: None, lambda before, after: gain)


@pytest.mark.parametrize(("gain", "is_kept"), [(SURE, True), (UNSURE, False)])
def test_a_preference_pass_is_kept_only_where_its_interval_lies_above_zero(
    gain: Interval, is_kept: bool, tiny_causal: Path, tmp_path: Path
) -> None:
    plain, preferring = (load_answerer(tiny_causal, QA) for _ in range(2))
    run(plain, tmp_path / "plain", Lessons(), judge=judge(gain))
    material = Material(preferences=preferences(2 * LEAST_PAIRS))
    points = run(preferring, tmp_path / "preferring", Lessons(preferences="dpo"), material, judge=judge(gain))
    assert is_changed(weights(plain), weights(preferring)) == is_kept
    last = points[-1]
    assert (last["preference_pairs"], last["preference_kept"]) == (2 * LEAST_PAIRS, float(is_kept))
    assert (last["preference_low"], last["preference_high"]) == (gain.low, gain.high)


def test_a_preference_pass_makes_the_preferred_answers_likelier_than_the_others(
    tiny_causal: Path, tmp_path: Path
) -> None:
    import torch

    def margin(answerer: Any) -> float:
        found = 0.0
        for pair in usable_pairs(answerer, preferences(LEAST_PAIRS)):
            sides = []
            for side in ("chosen", "rejected"):
                ids = answerer.tokenizer(pair["prompt"] + pair[side], return_tensors="pt")["input_ids"]
                start = len(answerer.tokenizer(pair["prompt"])["input_ids"])
                with torch.no_grad():
                    logits = answerer.model(ids).logits[0, start - 1 : -1].log_softmax(-1)
                sides.append(logits.gather(-1, ids[0, start:, None]).sum().item())
            found += sides[0] - sides[1]
        return found

    plain, preferring = (load_answerer(tiny_causal, QA) for _ in range(2))
    run(plain, tmp_path / "plain", Lessons())
    material = Material(preferences=preferences(2 * LEAST_PAIRS))
    run(preferring, tmp_path / "preferring", Lessons(preferences="dpo"), material, judge=judge(SURE))
    assert margin(preferring) > margin(plain) + 0.01


def test_no_word_of_a_preference_pass_leaves_the_machine(answerer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import _telemetry

    sent: list[str] = []
    monkeypatch.setattr(constants, "is_offline_mode", lambda: False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setattr(_telemetry, "_start_telemetry_thread", lambda: sent.append("started"))
    monkeypatch.delenv("CI", raising=False)
    pairs = usable_pairs(answerer, preferences(LEAST_PAIRS))
    told = prefer(answerer, pairs, rate=1e-3, config=CONFIG, report=lambda *_: None)
    assert told["steps"] == 2
    assert sent == []


def test_why_there_was_no_preference_pass_is_said(answerer: Any, tiny_span: Path, tmp_path: Path) -> None:
    messages: list[str] = []

    def report(_: float, message: str) -> None:
        messages.append(message)

    cases = [
        (answerer, preferences(LEAST_PAIRS - 1), judge(SURE), "7 corrections, and it takes at least 8"),
        (answerer, preferences(LEAST_PAIRS), None, "no validation questions"),
        (load_answerer(tiny_span, QA), preferences(LEAST_PAIRS), judge(SURE), "a span model has no text to prefer"),
    ]
    for number, (model, pairs, judged, reason) in enumerate(cases):
        material = Material(preferences=pairs)
        points = run(model, tmp_path / str(number), Lessons(preferences="dpo"), material, judge=judged, report=report)
        assert reason in messages[-1]
        assert points[-1]["preference_kept"] == 0.0


def test_a_pair_that_overflows_the_window_or_counts_for_nothing_is_left_out(answerer: Any) -> None:
    [pair] = preferences(1)
    long = dataclasses.replace(pair, text="why " * 400)
    weightless = dataclasses.replace(pair, weight=0.0)
    [kept] = usable_pairs(answerer, [long, weightless, pair])
    assert kept == {
        "prompt": qa.format(pair.text, pair.passage), "chosen": f" {pair.chosen.text}", "rejected": f" {pair.rejected.text}",
    }  # fmt: skip


GOLDS = [Gold(str(i), "q", ("p",), ("Rome",) if i % 2 else ()) for i in range(40)]


def said(right: int) -> list[Prediction]:
    """The first ``right`` answerable questions answered right, the others wrong; refusals always right."""
    texts = ["Rome" if i < 2 * right else "Oslo" for i in range(40)]
    return [Prediction(t, bool(i % 2), 0.9, 0.9 if i % 2 else 0.1, 0.0, t) for i, t in enumerate(texts)]


def test_the_gain_of_a_pass_comes_with_an_interval_that_knows_noise_from_progress() -> None:
    better = qa.selection_gain(said(6), said(14), GOLDS)
    assert 0 < better.low < better.difference < better.high
    same = qa.selection_gain(said(10), said(10), GOLDS)
    assert (same.low, same.difference, same.high) == (0.0, 0.0, 0.0)
    assert qa.selection_gain(said(10), said(11), GOLDS).low <= 0


def test_unanswerable_validation_questions_set_the_threshold_and_nothing_else_does(answerer: Any) -> None:
    def read(pairs: Any) -> Any:
        return [qa.Reading("Rome", 0.6 if "live" in text else 0.7, -0.1, 14, 18) for text, _ in pairs]

    answerer.read = read
    answered = [Gold("a", "Where does Anna live ?", ("Anna lives in Rome .",), ("Rome",))]
    refused = [Gold("b", "What does Anna own ?", ("Anna lives in Rome .",), ())]
    assert qa.calibrate(answerer, answered) == 0.5
    assert qa.calibrate(answerer, answered + refused) != 0.5


class Alike:
    identity = "alike"

    def __call__(self, pairs: Any) -> list[float]:
        return [0.5] * len(pairs)


def test_what_a_model_knew_before_is_asked_of_labelled_answers_alone(
    answerer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answerer, "read", lambda pairs: [Reading("Rome", 0.9, -0.1) for _ in pairs])
    judges: list[Judge] = []
    monkeypatch.setattr(stages, "learn", lambda *_, judge, **__: judges.append(judge))
    wrong = Example("Where does Olga live ?", "Olga lives in Oslo .", Target("Oslo"), kind="accept")
    refused = Example("Who is Anna ?", "Anna lives in Rome .", Target("", False), kind="negative")
    golds = [Gold("1", "Where does Boris live ?", ("Boris lives in Rome .",), ("Rome",))]

    def known(*train: Example, lessons: Lessons = Lessons()) -> tuple[float, int]:
        QA.fit(
            answerer, train, golds, folder=tmp_path, config=CONFIG, report=lambda *_: None, log=lambda _: None, lessons=lessons
        )  # fmt: skip
        return judges[-1].known, judges[-1].answers

    assert known(*LABELLED, wrong, refused) == (0.5, 2)
    assert known(*LABELLED, refused) == (1.0, 1)
    assert known(refused) == (0.0, 0)

    monkeypatch.setattr(answerer, "similarity", Alike())
    assert known(*LABELLED, wrong, *OLD)[0] == 0.0  # starting data keeps what it knew
    assert known(*LABELLED, wrong, *OLD, lessons=Lessons(rehearsal=False)) == (0.5, 2)


def test_labels_that_only_judge_do_not_make_few_answers_enough(answerer: Any, tmp_path: Path) -> None:
    refused = [Example(f"Who is {name} ?", CORPUS[0], Target("", False), kind="negative") for name in toys.NAMES[:7]]
    with pytest.raises(TrainingError, match="only 1 labelled"):
        learn(
            answerer, [*LABELLED, *refused], judge=None, folder=tmp_path, config=CONFIG, report=lambda *_: None, log=lambda _: None,
            lessons=Lessons(abstention=False, variations=8), material=Material(),
        )  # fmt: skip


def test_what_only_judges_still_says_what_likeness_is_worth_and_where_the_threshold_lies(
    answerer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[Any] = []
    monkeypatch.setattr(
        stages, "fit", lambda answerer, rows, **_: learned.extend(rows) or Fitted(1, 1, None, 0, 0.0, 0, 0)
    )
    seen: list[Any] = []
    monkeypatch.setattr(answerability, "learn", lambda train, validation, *, identity: seen.append((train, validation)))
    monkeypatch.setattr(answerer, "similarity", Alike())
    monkeypatch.setattr(
        answerer,
        "read",
        lambda pairs: [Reading("Rome", 0.9 if "Rome" in passage else 0.4, -0.1) for _, passage in pairs],
    )
    train = toys.toy_examples(20)
    answerable = [row.target.answerable for row in train]
    assert 0 < sum(answerable) < 20
    golds = [
        Gold(str(i), "Where ?", (("Rome ." if i % 2 else "Oslo ."),), ("Rome",) if i % 2 else ()) for i in range(20)
    ]
    QA.fit(
        answerer, train, golds, folder=tmp_path, config=CONFIG, report=lambda *_: None, log=lambda _: None,
        lessons=Lessons(abstention=False),
    )  # fmt: skip
    assert [row.target.answerable for row in learned] == [True] * sum(answerable)
    assert seen[0][0].answerable == answerable
    assert 0.4 < answerer.settings.answerable_threshold < 0.9


def test_not_answerable_called_wrong_shows_that_there_is_an_answer(
    answerer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "learn", lambda *_, **__: None)
    seen: list[Any] = []
    monkeypatch.setattr(answerability, "learn", lambda train, validation, *, identity: seen.append(train))
    monkeypatch.setattr(answerer, "similarity", Alike())
    monkeypatch.setattr(answerer, "read", lambda pairs: [Reading("Rome", 0.9, -0.1) for _ in pairs])
    denied = replace(REJECT, target=Target("", False))
    golds = [Gold("1", "Where does Boris live ?", ("Boris lives in Rome .",), ("Rome",))]
    QA.fit(
        answerer, LABELLED, golds, folder=tmp_path, config=CONFIG, report=lambda *_: None, log=lambda _: None,
        lessons=Lessons(rejects=True), material=Material(rejects=(REJECT, denied)),
    )  # fmt: skip
    # The rejected words say nothing about whether there are right ones.
    assert seen[0].answerable == [True] * (len(LABELLED) + 1)
    QA.fit(
        answerer, LABELLED, golds, folder=tmp_path, config=CONFIG, report=lambda *_: None, log=lambda _: None,
        lessons=Lessons(), material=Material(rejects=(REJECT, denied)),
    )  # fmt: skip
    assert seen[1].answerable == [True] * len(LABELLED)


def test_a_span_model_learns_that_there_is_an_answer_where_not_answerable_was_wrong(tiny_span: Path) -> None:
    reader = load_answerer(tiny_span, QA)
    denied = replace(REJECT, target=Target("", False), weight=-1.0)
    [row] = reader.encode([denied])
    assert row.labels == (0, 0)
    before = reader.read([(denied.text, denied.passage)])[0].answerable_score
    import torch

    optimiser = torch.optim.SGD(reader.model.parameters(), lr=0.5)
    for _ in range(5):
        optimiser.zero_grad()
        reader.loss(reader.model, reader.collate([row])).backward()
        optimiser.step()
    assert reader.read([(denied.text, denied.passage)])[0].answerable_score > before
    # Of a passage read in several windows nobody said which one has the answer, nor that those without a rejected one have any.
    long = " ".join([denied.passage] * 300)
    assert not reader.encode([replace(denied, passage=long)])
    rows = reader.encode([replace(REJECT, passage=long.replace("Anna", "Olga").replace("Olga", "Anna", 1))])
    assert [row.labels != (0, 0) for row in rows] == [True]


def test_a_model_that_writes_learns_it_only_of_a_passage_it_sees_whole(answerer: Any) -> None:
    denied = replace(REJECT, target=Target("", False))
    long = replace(denied, passage=" ".join([denied.passage] * 300))
    assert len(answerer.encode([denied])) == 1
    assert not answerer.encode([long])
    assert len(answerer.encode([replace(long, weight=1.0)])) == 1
