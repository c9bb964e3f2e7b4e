"""What a wrong answer is put down to."""

from dataclasses import replace

from webapp.iterations.blame import Outcome, blame

WRONG = Outcome(
    score=0.0, is_refused=False, is_answerable=True, is_passage_wrong=False, is_rank_known=True, rank=1, shown=5
)  # fmt: skip


def test_a_right_answer_is_blamed_on_nothing_wherever_its_passage_came():
    assert blame(replace(WRONG, score=0.9, rank=None)) == ""


def test_a_half_right_answer_is_a_wrong_one():
    assert blame(replace(WRONG, score=0.89)) == "reading_missed"


def test_a_right_passage_that_is_not_among_those_shown_is_retrievals_fault():
    assert blame(replace(WRONG, rank=None)) == "retrieval_missed"
    assert blame(replace(WRONG, rank=6)) == "retrieval_missed"
    assert blame(replace(WRONG, rank=5)) == "reading_missed"
    assert blame(replace(WRONG, rank=None, is_refused=True)) == "retrieval_missed"


def test_where_no_right_passage_is_known_retrieval_is_not_blamed():
    assert blame(replace(WRONG, rank=None, is_rank_known=False)) == "reading_missed"


def test_a_label_that_rejects_the_passage_blames_retrieval_though_there_is_nothing_to_answer():
    assert blame(replace(WRONG, is_answerable=False, is_passage_wrong=True)) == "retrieval_missed"


def test_an_answer_where_there_is_none_should_have_been_an_abstention():
    assert blame(replace(WRONG, is_answerable=False)) == "should_have_abstained"


def test_a_refusal_with_the_right_passage_in_hand_should_have_been_an_answer():
    assert blame(replace(WRONG, is_refused=True)) == "should_have_answered"
