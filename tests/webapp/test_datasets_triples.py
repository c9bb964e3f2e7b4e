"""What a question's labels say about passages becomes the retriever's rows, and only what is known."""

from typing import Any

from tests.webapp.test_datasets_decisions import judged
from webapp.datasets.decisions import Judged as Label
from webapp.datasets.decisions import LeftOut, decide
from webapp.datasets.examples import Texts
from webapp.datasets.triples import Found, to_triple

PASSAGES = {
    5: "Luna opens at 9 am.",
    6: "Sol has a garden.",
    7: "Luna opens at 9 am, they say.",
    8: "From 9 am on.",
    9: "Far away.",
}


def triple(*labels: Label, **changes: Any) -> Found | LeftOut | None:
    texts = Texts(**{"passages": PASSAGES, "shown": {10: [6, 5, 9], 11: [7, 9]}, **changes})
    [lookup] = decide(labels, uses_passages=True).lookups
    return to_triple(lookup, texts)


def found(*labels: Label, **changes: Any) -> Found:
    result = triple(*labels, **changes)
    assert isinstance(result, Found)
    return result


def test_an_accepted_answers_passage_is_right_and_the_others_shown_are_not():
    result = found(judged(1))
    assert (result.triple.positive_id, result.triple.negative_ids) == (5, (6, 9))
    assert (result.triple.text, result.triple.positive) == ("When does Bistro Luna open?", PASSAGES[5])
    assert result.triple.negatives == (PASSAGES[6], PASSAGES[9])
    assert result.labels == (result.triple.label,) == (1,)


def test_a_shown_passage_that_holds_the_answer_too_is_no_negative():
    assert found(judged(1, answer=11, read_passage=5)).triple.negative_ids == (9,)


def test_a_passage_that_a_person_rejected_is_a_negative_whatever_it_holds_and_comes_first():
    result = found(judged(1, "wrong_passage", read_passage=7), judged(2, "correct", passage=8))
    assert result.triple.negative_ids == (7, 6, 9)
    assert (result.triple.positive_id, result.triple.label, result.labels) == (8, 2, (2, 1))


def test_where_the_answer_is_in_no_words_of_the_passage_only_rejected_ones_are_negatives():
    assert found(judged(1, text="Yes")).triple.negative_ids == ()
    result = found(judged(1, "wrong_passage", read_passage=6), judged(2, text="Yes"))
    assert (result.triple.positive_id, result.triple.negative_ids) == (5, (6,))


def test_a_rejected_passage_alone_waits_until_a_right_one_is_known():
    assert triple(judged(1, "wrong_passage")) is None
    assert triple(judged(1, "wrong_passage"), judged(2, "unanswerable", read_passage=9)) is None


def test_whoever_rejects_a_passage_or_an_answer_may_point_to_the_right_passage():
    assert found(judged(1, "wrong_passage", passage=8)).triple.negative_ids == (5, 6, 9)
    # The answer was refused, so nothing can be learned by the answerer, but the passage was named.
    assert found(judged(1, "wrong_answer", passage=8)).triple.positive_id == 8


def test_a_passage_that_one_names_and_a_newer_label_rejects_is_not_right():
    result = triple(judged(1, "wrong_passage", passage=8, read_passage=6), judged(2, "wrong_passage", read_passage=8))
    assert result is None


def test_a_correction_found_nowhere_names_no_passage():
    assert triple(judged(1, "correct", text="half past ten")) is None
    assert found(judged(1, "correct", text="garden")).triple.positive_id == 6


def test_an_answer_that_counts_for_nothing_names_no_passage():
    assert triple(judged(1, weight=0.0)) is None


def test_a_passage_that_left_the_corpus_is_neither_searched_for_nor_searched_against():
    gone = triple(judged(1), deleted=frozenset({5}))
    assert isinstance(gone, LeftOut)
    assert gone.label == 1
    assert "was deleted" in gone.reason
    assert found(judged(1), deleted=frozenset({6})).triple.negative_ids == (9,)


def test_a_copy_of_the_right_passage_is_no_negative():
    texts = {**PASSAGES, 9: PASSAGES[8] + " "}
    result = found(
        judged(1, "wrong_passage", read_passage=9), judged(2, "correct", text="From 9", passage=8), passages=texts
    )
    assert result.triple.negative_ids == (6, 5)


def test_a_question_that_nothing_answers_has_no_right_passage_whatever_was_pointed_to():
    assert (
        triple(judged(1, "wrong_passage", passage=8, read_passage=6), judged(2, "unanswerable", read_passage=9)) is None
    )


def test_a_passage_that_somebody_else_thinks_right_is_no_negative():
    result = found(judged(1, "wrong_passage", passage=9, read_passage=6), judged(2, "correct", passage=5))
    assert (result.triple.positive_id, result.triple.negative_ids) == (5, (6,))
