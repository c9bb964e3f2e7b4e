"""The real Hugging Face path on tiny models: all three architectures learn, predict, save and reload."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import toys

from training.answerers import load_answerer, rows
from training.answerers.settings import Settings
from training.tasks import get_task
from training.types import Example, FitConfig, Input, Prediction, Target, TrainingError

QA = get_task("qa")
KINDS = ["causal", "seq2seq", "span"]
CONFIGS = {
    "causal": FitConfig(epochs=7, learning_rate=3e-3, batch_tokens=1024, evaluations=3),
    "seq2seq": FitConfig(epochs=10, learning_rate=4e-3, batch_tokens=1024, evaluations=3),
    "span": FitConfig(epochs=4, learning_rate=3e-3, batch_tokens=1024, evaluations=3),
}


@dataclasses.dataclass(frozen=True)
class Taught:
    """A model trained on the toy set and saved, with what it had said before being saved."""

    folder: Path
    settings: Settings
    before: float
    inputs: list[Input]
    predictions: list[Prediction]
    points: list[dict[str, float]]


TEST = toys.toy_golds(60, seed=7)


@pytest.fixture(scope="module")
def taught(tiny_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Taught]:
    def teach(kind: str) -> Taught:
        folder = tmp_path_factory.mktemp("taught")
        answerer = load_answerer(tiny_models[kind], QA)
        inputs = [Input(gold.id, gold.text, gold.passages) for gold in TEST]
        before = QA.score(QA.predict(answerer, inputs), TEST)["f1"]
        points: list[dict[str, float]] = []
        QA.fit(
            answerer,
            toys.toy_examples(300),
            toys.toy_golds(40),
            folder=folder / "run",
            config=CONFIGS[kind],
            report=lambda *_: None,
            log=points.append,
        )
        answerer.save(folder / "saved")
        return Taught(folder / "saved", answerer.settings, before, inputs, QA.predict(answerer, inputs), points)

    return functools.cache(teach)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_predicts_saves_and_reloads(kind: str, taught: Callable[[str], Taught]) -> None:
    run = taught(kind)
    scores = QA.score(run.predictions, TEST)
    assert scores["f1"] > 0.9 > run.before
    assert scores["unanswerable_accuracy"] > 0.9
    assert any("validation_f1" in point for point in run.points)
    assert any("perplexity" in point for point in run.points)
    reloaded = load_answerer(run.folder, QA)
    assert reloaded.settings == run.settings
    assert QA.predict(reloaded, run.inputs) == run.predictions
    shown = next(each for each in run.predictions if each.answerable)
    assert shown.start is not None
    assert run.inputs[run.predictions.index(shown)].passages[shown.passage or 0][shown.start : shown.end] == shown.text


@pytest.mark.parametrize("kind", KINDS)
def test_batches_read_as_single_pairs_do(
    kind: str, tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An untrained model's words are near ties, which half precision may decide either way.
    monkeypatch.setattr(rows, "use_bfloat16", lambda _: False)
    answerer = load_answerer(tiny_models[kind], QA)
    pairs = [(question, " ".join([passage] * (1 + i % 3))) for i, (question, passage, _) in enumerate(toys.toy_rows(9))]
    together = answerer.read(pairs)
    for pair, reading in zip(pairs, together, strict=True):
        alone = answerer.read([pair])[0]
        assert reading.text == alone.text
        assert reading.answerable_score == pytest.approx(alone.answerable_score, abs=1e-4)
        assert reading.log_probability == pytest.approx(alone.log_probability, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_passage_longer_than_the_window_is_read(kind: str, tiny_models: dict[str, Path]) -> None:
    answerer = load_answerer(tiny_models[kind], QA)
    reading = answerer.read([("Where does Anna live ?", "Anna lives in Rome . " * 400)])[0]
    assert 0.0 <= reading.answerable_score <= 1.0
    assert reading.log_probability < 0.0


def test_a_span_model_reads_all_of_a_long_passage_in_overlapping_windows(tiny_span: Path) -> None:
    answerer = load_answerer(tiny_span, QA)
    passage = "Anna lives in Rome . " * 150
    windows = answerer.windows([("Where does Anna live ?", passage)])
    assert max(len(window.input_ids) for window in windows) == answerer.window
    for window, following in itertools.pairwise(windows):
        assert following.offsets[0][0] < window.offsets[-1][0]
    assert windows[-1].offsets[-1][1] == len(passage.rstrip())


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_longer_than_the_window_reads_as_not_answerable(kind: str, tiny_models: dict[str, Path]) -> None:
    answerer = load_answerer(tiny_models[kind], QA)
    long = "where " * 4000
    readings = answerer.read([(long, "Anna lives in Rome ."), ("Where does Anna live ?", "Anna lives in Rome .")])
    assert (readings[0].text, readings[0].answerable_score) == ("", 0.0)
    assert readings[1].log_probability != 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_no_passage_and_no_question_are_answered_without_a_model(kind: str, tiny_models: dict[str, Path]) -> None:
    answerer = load_answerer(tiny_models[kind], QA)
    assert answerer.read([]) == []
    prediction = QA.predict(answerer, [Input("1", "Where does Anna live ?")])[0]
    assert (prediction.text, prediction.answerable, prediction.passage) == ("", False, None)
    assert QA.predict(answerer, []) == []


def test_an_empty_passage_reads_as_not_answerable_by_a_span_model(tiny_span: Path) -> None:
    answerer = load_answerer(tiny_span, QA)
    assert answerer.read([("Where ?", ""), ("Where ?", "   ")])[0].answerable_score == 0.0


@pytest.mark.parametrize("kind", ["causal", "seq2seq"])
def test_the_refusal_is_scored_as_a_whole(kind: str, tiny_models: dict[str, Path]) -> None:
    """The refusal's probability is that of all its tokens, checked against one plain forward pass."""
    import torch

    answerer = load_answerer(tiny_models[kind], QA)
    pair = ("Where does Anna live ?", "Anna lives in Rome .")
    prompt = answerer.tokenizer(QA.format(*pair), return_tensors="pt")["input_ids"]
    null = torch.tensor([answerer.null])
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        if kind == "causal":
            logits = answerer.model(input_ids=torch.cat([prompt, null], dim=1)).logits[:, prompt.shape[1] - 1 : -1]
        else:
            logits = answerer.model(input_ids=prompt, labels=null).logits
    chosen = logits.float().log_softmax(-1).gather(-1, null[..., None]).sum()
    assert answerer.read([pair])[0].answerable_score == pytest.approx(1 - float(chosen.exp()), abs=1e-3)


@pytest.mark.parametrize("kind", ["causal", "seq2seq"])
def test_reading_is_the_greedy_answer_of_plain_generation(
    kind: str, tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scoring the refusal in between, and the batch's padding, leave no trace in the answer."""
    import torch

    monkeypatch.setattr(rows, "use_bfloat16", lambda _: False)
    answerer = load_answerer(tiny_models[kind], QA)
    answerer.settings = dataclasses.replace(answerer.settings, max_new_tokens=8)
    pairs = [(question, passage) for question, passage, _ in toys.toy_rows(4)]
    for pair, reading in zip(pairs, answerer.read(pairs), strict=True):
        inputs = answerer.tokenizer(QA.format(*pair), return_tensors="pt")
        begin = inputs["input_ids"].shape[1] if kind == "causal" else 1
        output = answerer.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            do_sample=False,
            max_new_tokens=8,
            return_dict_in_generate=True,
            output_logits=True,
        )
        said = output.sequences[0, begin:]
        logits = torch.stack([step[0] for step in output.logits]).log_softmax(-1)
        assert reading.text == QA.parse(answerer.tokenizer.decode(said, skip_special_tokens=True)).text
        expected = logits.gather(-1, said[:, None]).sum().item()
        assert reading.log_probability == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_hold_the_answer_and_nothing_else_to_say(kind: str, tiny_models: dict[str, Path]) -> None:
    answerer = load_answerer(tiny_models[kind], QA)
    row = answerer.encode([Example("Where does Anna live ?", "Anna lives in Rome .", Target("Rome"))])[0]
    ids = row.input_ids[row.labels[0] : row.labels[1] + 1] if kind == "span" else row.labels
    assert answerer.tokenizer.decode(ids, skip_special_tokens=True).strip().casefold() == "rome"


def test_an_answer_far_into_a_long_passage_stays_in_the_row(tiny_causal: Path) -> None:
    answerer = load_answerer(tiny_causal, QA)
    passage = "Boris works as a pilot . " * 60 + "Anna lives in Rome ."
    row = answerer.encode([Example("Where does Anna live ?", passage, Target("Rome"))])[0]
    text = answerer.tokenizer.decode(row.input_ids[: -len(row.labels)])
    assert "Rome" in text
    assert len(row.input_ids) <= answerer.window


def test_a_span_model_leaves_out_answers_that_are_not_in_the_passage(tiny_span: Path) -> None:
    answerer = load_answerer(tiny_span, QA)
    encoded = answerer.encode(
        [Example("Where ?", "Anna lives in Rome .", Target(text)) for text in ("Oslo", "Rom", "nna")]
    )
    assert encoded == []


def test_a_negative_weight_pushes_away_and_stays_bounded(tiny_span: Path) -> None:
    answerer = load_answerer(tiny_span, QA)
    slopes = []
    for weight in (1.0, -0.1):
        example = Example("Where does Anna live ?", "Anna lives in Rome .", Target("Rome"), weight=weight)
        answerer.model.zero_grad()
        loss = answerer.loss(answerer.model, answerer.collate(answerer.encode([example])))
        loss.backward()
        assert 0.0 < loss.item() < 12.0
        slopes.append(answerer.model.qa_outputs.weight.grad.clone())
    assert (slopes[0] * slopes[1]).sum().item() < 0.0


def test_the_best_passage_is_chosen_and_earlier_rank_breaks_ties(taught: Callable[[str], Taught]) -> None:
    answerer = load_answerer(taught("span").folder, QA)
    wrong, right = "Boris works as a pilot .", "Anna lives in Rome ."
    chosen = QA.predict(answerer, [Input("1", "Where does Anna live ?", (wrong, right, right))])[0]
    assert (chosen.text, chosen.passage) == ("Rome", 1)
    refusing = dataclasses.replace(answerer.settings, answerable_threshold=1.1)
    answerer.settings = refusing
    refused = QA.predict(answerer, [Input("1", "Where does Anna live ?", (wrong, right))])[0]
    assert (refused.text, refused.answerable, refused.best_text) == ("", False, "Rome")


def test_a_low_rank_adapter_learns_and_is_saved_whole(tiny_span: Path, tmp_path: Path) -> None:
    answerer = load_answerer(tiny_span, QA)
    config = dataclasses.replace(CONFIGS["span"], method="lora", epochs=4, learning_rate=3e-3)
    QA.fit(
        answerer,
        toys.toy_examples(300),
        toys.toy_golds(40),
        folder=tmp_path / "run",
        config=config,
        report=lambda *_: None,
        log=lambda _: None,
    )
    test = toys.toy_golds(60, seed=7)
    inputs = [Input(gold.id, gold.text, gold.passages) for gold in test]
    predictions = QA.predict(answerer, inputs)
    assert QA.score(predictions, test)["span_f1"] > 0.8
    assert (tmp_path / "run/adapter/adapter_model.safetensors").exists()
    answerer.save(tmp_path / "saved")
    assert QA.predict(load_answerer(tmp_path / "saved", QA), inputs) == predictions


def test_it_refuses_a_model_of_another_task(tiny_span: Path, tmp_path: Path) -> None:
    answerer = load_answerer(tiny_span, QA)
    answerer.settings = dataclasses.replace(answerer.settings, task="summarization")
    answerer.save(tmp_path / "saved")
    with pytest.raises(TrainingError, match="made for the task 'summarization'"):
        load_answerer(tmp_path / "saved", QA)


def test_questions_about_one_passage_read_as_if_alone(tiny_causal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A passage that several prompts begin with is read once, and nothing in the readings tells."""
    from training.answerers import prefix

    monkeypatch.setattr(rows, "use_bfloat16", lambda _: False)
    answerer = load_answerer(tiny_causal, QA)
    passages = [" ".join(passage for _, passage, _ in toys.toy_rows(6, seed=seed)) for seed in range(3)]
    pairs = [(question, passages[i % 3]) for i, (question, _, _) in enumerate(toys.toy_rows(12))]
    shared = answerer.read(pairs)
    owners, beginnings = prefix.shared_beginnings([[1, 2, 3], [1, 2, 4], [1, 2, 5], [7, 8]], ["a", "a", "a", "b"])
    assert (owners, beginnings) == ([0, 0, 0, 1], [[1, 2], [7]])
    monkeypatch.setattr(prefix, "WORTHWHILE", 0.0)
    for together, alone in zip(shared, answerer.read(pairs), strict=True):
        assert together.text == alone.text
        assert together.answerable_score == pytest.approx(alone.answerable_score, abs=1e-5)
        assert together.log_probability == pytest.approx(alone.log_probability, rel=1e-4)
