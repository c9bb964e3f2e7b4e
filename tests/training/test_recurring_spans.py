"""Practice rows from unlabelled text: the target is where it says, and what was hidden is hidden."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.recurring_spans import BLANK, practice

FERRY = (
    "The Marlow Ferry crosses the estuary every hour. In winter the wind often keeps the boats in harbour. "
    "Passengers of the Marlow Ferry buy their tickets on board. The crossing of the estuary takes twenty minutes."
)
WORDS = st.sampled_from("Marlow Ferry estuary harbour wind twenty the of crosses keeps old İstanbul naïve".split())
SENTENCES = st.lists(WORDS, min_size=4, max_size=9).map(lambda words: " ".join(words).capitalize() + ".")
PASSAGES = st.lists(SENTENCES, min_size=1, max_size=6).map(" ".join)


def test_the_target_stands_in_the_passage_where_it_says() -> None:
    rows = practice([FERRY], seed=1, per_passage=9)
    assert {row.target.text for row in rows} >= {"Marlow Ferry", "estuary"}
    for row in rows:
        start = row.target.start
        assert start is not None
        assert row.passage[start : start + len(row.target.text)] == row.target.text


def test_the_hidden_occurrence_is_really_hidden() -> None:
    for row in practice([FERRY], seed=1, per_passage=9):
        assert BLANK in row.text
        assert row.target.text.lower() not in row.text.lower()
        filled = row.text.replace(BLANK, row.target.text).lower()
        assert filled in FERRY.lower()
        assert filled not in row.passage.lower()


@given(st.lists(PASSAGES, min_size=1, max_size=4), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_both_hold_for_any_text(passages: list[str], seed: int) -> None:
    for row in practice(passages, seed, per_passage=3):
        start = row.target.start
        assert start is not None
        assert row.passage[start : start + len(row.target.text)] == row.target.text
        assert BLANK in row.text
        assert row.target.text.lower() not in row.text.lower()
        assert row.kind == "rehearsal"


def test_a_phrase_that_cannot_be_hidden_gives_no_row() -> None:
    passage = "The i\u0307stanbul ferry leaves early today. The \u0130stanbul ferry comes back very late."
    rows = practice([passage] * 20, seed=1, per_passage=3)
    assert rows
    assert all(row.target.text.lower() not in row.text.lower() for row in rows)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    passages = [FERRY] * 8
    assert practice(passages, seed=3) == practice(passages, seed=3)
    assert practice(passages, seed=3) != practice(passages, seed=4)


def test_the_longest_phrase_is_taken_not_its_parts() -> None:
    targets = {row.target.text for row in practice([FERRY], seed=0, per_passage=9)}
    assert not targets & {"Marlow", "Ferry"}


def test_text_in_which_nothing_recurs_gives_no_rows() -> None:
    assert practice(["A short note about a lighthouse.", "", "The the of the."], seed=0) == []


def test_it_keeps_to_the_number_asked_for() -> None:
    assert len(practice([FERRY] * 5, seed=0, per_passage=1)) == 5


def test_the_blank_can_be_a_question_word_but_not_nothing() -> None:
    assert any("what" in row.text for row in practice([FERRY], seed=0, blank="what"))
    with pytest.raises(ValueError, match="blank"):
        practice([FERRY], seed=0, blank=" ")
