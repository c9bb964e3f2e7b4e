"""Passages hold the whole text, fit the embedder and end at sentences."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.embedder import HashEmbedder
from retriever.splitter import sentences, split
from retriever.types import RetrieverError


def words(text: str) -> int:
    """A toy tokenizer: words and marks, and two special tokens."""
    return len(re.findall(r"\w+|[^\w\s]", text)) + 2


def characters(text: str) -> int:
    return len(text) + 2


def cut(text: str, *, max_tokens: int, overlap_tokens: int = 0) -> list[str]:
    spans = split(text, max_tokens=max_tokens, overlap_tokens=overlap_tokens, count_tokens=words)
    return [text[span.start : span.end] for span in spans]


def test_sentences_end_at_full_stops_and_not_at_abbreviations() -> None:
    text = 'Dr. Smith met J. K. Low at 5 p.m. in York. "Really?" she asked. Yes! It went\non here.\n\nMenu\nFish\n第一句。第二句。'
    assert [text[span.start : span.end] for span in sentences(text)] == [
        "Dr. Smith met J. K. Low at 5 p.m. in York.", '"Really?" she asked.', "Yes!", "It went\non here.",
        "Menu", "Fish", "第一句。", "第二句。",
    ]  # fmt: skip


def test_a_short_text_is_one_passage_without_the_space_around_it() -> None:
    assert cut("  Fish. Chips. \n", max_tokens=20) == ["Fish. Chips."]
    assert cut(" \n", max_tokens=20) == []


def test_passages_end_at_sentences_and_share_whole_ones() -> None:
    text = "One two three. Four five six. Seven eight nine. Ten eleven twelve."
    assert cut(text, max_tokens=10) == ["One two three. Four five six.", "Seven eight nine. Ten eleven twelve."]
    assert cut(text, max_tokens=10, overlap_tokens=4) == [
        "One two three. Four five six.", "Four five six. Seven eight nine.", "Seven eight nine. Ten eleven twelve.",
    ]  # fmt: skip


def test_a_long_sentence_is_cut_at_words_and_a_long_word_at_characters() -> None:
    assert cut("one two three four five six seven", max_tokens=5) == ["one two three", "four five six", "seven"]
    spans = split("abcdefgh ij", max_tokens=5, overlap_tokens=0, count_tokens=characters)
    assert [(span.start, span.end) for span in spans] == [(0, 3), (3, 6), (6, 8), (9, 11)]


def test_a_word_without_end_does_not_make_a_passage_without_end() -> None:
    spans = split("x" * 50_000, max_tokens=64, overlap_tokens=0, count_tokens=lambda text: 3 if text else 2)
    assert max(span.end - span.start for span in spans) <= 64 * 20


def test_it_refuses_limits_that_leave_no_room() -> None:
    for limits in ({"max_tokens": 2, "overlap_tokens": 0}, {"max_tokens": 9, "overlap_tokens": 9}):
        with pytest.raises(RetrieverError, match="no room"):
            split("Fish.", count_tokens=words, **limits)


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(alphabet="ab Zé.?!\n\t\"'。7,-", max_size=400) | st.text(max_size=200),
    max_tokens=st.integers(4, 30),
    overlap_tokens=st.integers(0, 3),
    count_tokens=st.sampled_from([words, characters, HashEmbedder().count_tokens]),
)
def test_every_character_is_in_a_passage_and_no_passage_is_too_long(
    text, max_tokens, overlap_tokens, count_tokens
) -> None:
    spans = split(text, max_tokens=max_tokens, overlap_tokens=overlap_tokens, count_tokens=count_tokens)
    covered = set()
    for span in spans:
        passage = text[span.start : span.end]
        assert passage == passage.strip() != ""
        assert count_tokens(passage) <= max_tokens
        covered.update(range(span.start, span.end))
    assert all(index in covered for index, character in enumerate(text) if not character.isspace())
    assert all(one.start < two.start and one.end < two.end for one, two in pairwise(spans))
