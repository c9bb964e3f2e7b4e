"""A generative model that is held to its passages says what stands there, word for word, or one of few fixed answers."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.answerers import load_answerer
from training.answerers.spans import Spans, fixed_answers
from training.tasks import get_task
from training.types import Example, Target

PASSAGES = ["The museum opens at 10:45 am, and the slow-cooked lamb is praised.", "Anna Bell owns the café.", "Closed."]


@pytest.mark.parametrize("architecture", ["causal", "seq2seq"])
def test_an_untrained_model_says_whole_words_of_its_passage_or_a_fixed_answer(
    tiny_models: dict[str, Path], architecture: str
) -> None:
    answerer = load_answerer(tiny_models[architecture], get_task("qa"))
    answerer.settings = replace(answerer.settings, fixed_answers=("Yes", "No"))
    pairs = [(question, passage) for question in ("When does it open?", "Who owns it?") for passage in PASSAGES]
    for (_, passage), reading in zip(pairs, answerer.read(pairs), strict=True):
        assert reading.text
        assert reading.text in ("Yes", "No") or f" {reading.text}" in f" {passage}"
        if reading.end is not None:
            assert not passage[reading.end : reading.end + 1].isalnum()


def test_without_fixed_answers_a_model_writes_freely(tiny_causal: Path) -> None:
    answerer = load_answerer(tiny_causal, get_task("qa"))
    assert answerer.settings.fixed_answers is None
    readings = answerer.read([("When does it open?", passage) for passage in PASSAGES])
    assert any(reading.start is None for reading in readings)


@settings(max_examples=40, deadline=None)
@given(favourites=st.lists(st.integers(0, 10**6), min_size=12, max_size=12))
def test_whatever_the_model_prefers_the_tokens_follow_one_stretch(tiny_causal: Path, favourites: list[int]) -> None:
    import torch

    answerer = load_answerer(tiny_causal, get_task("qa"))
    spans = Spans(answerer, PASSAGES[:1], ("No",))
    said: list[int] = []
    for favourite in favourites:
        logits = torch.rand(1, len(answerer.tokenizer), generator=torch.Generator().manual_seed(favourite))
        chosen = spans.hold(logits).argmax(-1)
        if chosen.item() == answerer.tokenizer.eos_token_id:
            break
        said.append(int(chosen.item()))
        spans.advance(chosen)
    text = answerer.tokenizer.decode(said).strip()
    assert text == "No" or text in PASSAGES[0]


def _rows(texts: list[str], passage: str = "Open on Mondays.") -> list[Example]:
    return [Example("When?", passage, Target(text)) for text in texts]


def test_frequent_answers_outside_the_passages_are_kept_as_fixed_ones() -> None:
    assert fixed_answers(_rows(["Mondays"] * 20 + ["Yes"] * 5 + ["No"] * 3)) == ("Yes", "No")


def test_a_few_odd_corrections_leave_the_model_held_to_its_passages() -> None:
    assert fixed_answers(_rows(["Mondays"] * 20 + ["Mondys"])) == ()


def test_answers_written_freely_leave_the_model_free() -> None:
    assert fixed_answers(_rows(["Mondays"] * 6 + [f"a summary, number {n}" for n in range(6)])) is None
    assert fixed_answers([Example("When?", "x", Target("", answerable=False))]) is None
