"""Which labels become which rows, and which are left out and why."""

from typing import Any

import pytest

from webapp.datasets.decisions import Decided, Judged, decide


def judged(label: int, decision: str = "accept", **changes: Any) -> Judged:
    reason = decision if decision in ("wrong_answer", "wrong_passage", "unanswerable") else None
    values: dict[str, Any] = {
        "label": label, "question": 1, "question_text": "When does Bistro Luna open?", "verdict": "reject" if reason else decision,
        "reject_reason": reason, "text": "9 am" if decision in ("accept", "correct") else "", "passage": None, "start": None,
        "answer": 10, "read_passage": 5, "first_passage": 6,
    }  # fmt: skip
    return Judged(**{**values, **changes})


def decided(*labels: Judged) -> Decided:
    return decide(labels, uses_passages=True)


def test_an_accepted_answer_goes_with_the_passage_it_was_read_in():
    [row] = decided(judged(1)).rows
    assert (row.kind, row.text, row.answerable, row.passage) == ("accept", "9 am", True, 5)


def test_a_chosen_passage_wins_over_the_one_that_was_read():
    [row] = decided(judged(1, "correct", passage=8, start=3)).rows
    assert (row.kind, row.passage, row.start, row.passage_chosen) == ("correct", 8, 3, True)


def test_an_accepted_refusal_teaches_that_the_passages_do_not_answer():
    [row] = decided(judged(1, text="", read_passage=None)).rows
    assert (row.kind, row.answerable, row.passage) == ("negative", False, 6)


def test_a_wrong_passage_rules_out_the_one_that_was_read_not_the_one_chosen_instead():
    [row] = decided(judged(1, "wrong_passage", passage=8)).rows
    assert (row.kind, row.answerable, row.passage, row.is_passage_only) == ("negative", False, 5, True)


def test_an_unanswerable_question_is_a_negative_row():
    [row] = decided(judged(1, "unanswerable")).rows
    assert (row.kind, row.answerable, row.text, row.is_passage_only) == ("negative", False, "", False)


NOTHING_TO_LEARN: list[dict[str, Any]] = [
    {"second_passage": 7},  # "not answerable" was said of two passages together
    {"answer": None, "read_passage": None, "first_passage": None},
    {"is_blind": True},
    {"read_passage": None, "first_passage": None},
]


@pytest.mark.parametrize("changes", NOTHING_TO_LEARN)
def test_a_wrong_answer_of_which_nothing_was_shown_and_a_skip_have_no_row_and_say_why(changes: dict[str, Any]):
    result = decided(judged(1, "wrong_answer", **changes), judged(2, "skip", question=2))
    assert not result.rows
    assert not result.rejects
    assert [out.kind for out in result.left_out] == ["wrong_answer", "skip"]
    assert "counted as a negative" in result.left_out[0].reason


def test_a_wrong_answer_is_a_small_push_away_from_what_was_shown_in_the_passage_it_was_read_in():
    result = decided(judged(1, "wrong_answer", shown_text="8 am", passage=8))
    [row] = result.rejects
    assert (row.kind, row.text, row.passage, row.weight) == ("reject", "8 am", 5, -0.1)
    assert not result.rows
    assert not result.left_out
    assert result.lookups[0].chosen == ((1, 8),)


@pytest.mark.parametrize(("changes", "passage"), [({}, 5), ({"passage": 8, "second_passage": 7}, 8)])
def test_not_answerable_called_wrong_says_that_the_passage_has_an_answer(changes: dict[str, Any], passage: int):
    # Of one passage it was said of, or of the one that a person named.
    [row] = decided(judged(1, "wrong_answer", **changes)).rejects
    assert (row.kind, row.text, row.answerable, row.passage, row.weight) == ("reject", "", False, passage, -0.1)


@pytest.mark.parametrize("older", ["unanswerable", "accept"])
def test_not_answerable_called_wrong_overrules_an_older_label_that_says_so_and_is_overruled_by_a_newer(older: str):
    says_none = judged(1, older, text="")
    result = decided(says_none, judged(2, "wrong_answer"))
    assert not result.rows
    assert [(out.label, out.kind) for out in result.left_out] == [(1, "contradicted")]
    result = decided(judged(1, "wrong_answer"), judged(2, older, text=""))
    assert [row.label for row in result.rows] == [2]
    assert [(out.label, out.kind) for out in result.left_out] == [(1, "contradicted")]


@pytest.mark.parametrize("decisions", [("wrong_passage", "wrong_answer"), ("wrong_answer", "wrong_passage")])
def test_of_one_passage_the_newest_says_whether_it_has_an_answer(decisions: tuple[str, str]):
    result = decided(*(judged(number, decision) for number, decision in enumerate(decisions, 1)))
    assert [row.label for row in (*result.rows, *result.rejects)] == [2]
    assert [(out.label, out.kind) for out in result.left_out] == [(1, "contradicted")]


def test_not_answerable_called_wrong_of_two_passages_are_two_judgements():
    result = decided(judged(1, "wrong_answer", passage=8, second_passage=7), judged(2, "wrong_answer"))
    assert [(row.label, row.passage) for row in result.rejects] == [(2, 5), (1, 8)]
    assert not result.left_out
    assert result.lookups[0].chosen == ((1, 8),)
    # Words without letters are words, not a refusal.
    result = decided(judged(1, "wrong_answer", shown_text="..."), judged(2, "unanswerable"))
    assert [row.label for row in (*result.rows, *result.rejects)] == [2, 1]


@pytest.mark.parametrize(("given", "becomes"), [(1.0, -0.1), (0.5, -0.05), (-0.1, -0.1), (-1.0, -1.0)])
def test_a_labels_own_weight_scales_the_push_or_is_the_push(given: float, becomes: float):
    [row] = decided(judged(1, "wrong_answer", shown_text="8 am", weight=given)).rejects
    assert row.weight == pytest.approx(becomes)


def test_a_labels_weight_goes_into_its_rows():
    result = decided(
        judged(1, "correct", weight=0.5, shown_text="8 am"), judged(2, "wrong_passage", question=2, weight=0.25)
    )
    assert [row.weight for row in (*result.rows, *result.preferences)] == [0.5, 0.25, 0.5]


def test_a_correction_is_also_preferred_to_the_answer_that_was_shown():
    result = decided(judged(1, "correct", passage=8, start=3, shown_text="8 am"))
    [row], [preference] = result.rows, result.preferences
    assert (row.kind, row.rejected) == ("correct", None)
    assert (preference.kind, preference.text, preference.rejected, preference.passage) == (
        "preference",
        "9 am",
        "8 am",
        8,
    )


def test_a_correction_of_a_refusal_is_preferred_to_the_refusal():
    [preference] = decided(judged(1, "correct", shown_text="")).preferences
    assert preference.rejected == ""


@pytest.mark.parametrize(
    "changes", [{"answer": None}, {"shown_text": "9 AM."}, {"shown_text": "at 9", "is_blind": True}]
)
def test_a_correction_of_nothing_of_letter_case_alone_or_of_an_answer_unseen_is_no_preference(changes: dict[str, Any]):
    assert not decided(judged(1, "correct", **changes)).preferences


def test_an_accepted_answer_that_a_newer_label_calls_wrong_is_contradicted_and_the_other_way_round():
    newer_reject = decided(judged(1, text="9 am"), judged(2, "wrong_answer", shown_text="9 AM"))
    assert not newer_reject.rows
    assert [row.label for row in newer_reject.rejects] == [2]
    assert [(out.label, out.kind) for out in newer_reject.left_out] == [(1, "contradicted")]
    newer_accept = decided(judged(1, "wrong_answer", shown_text="9 AM"), judged(2, text="9 am"))
    assert [row.label for row in newer_accept.rows] == [2]
    assert not newer_accept.rejects
    assert [(out.label, out.kind) for out in newer_accept.left_out] == [(1, "contradicted")]


def test_a_rejected_answer_does_not_contradict_another_one_and_two_who_reject_it_agree():
    result = decided(
        judged(1, "wrong_answer", shown_text="8 am"), judged(2, "wrong_answer", shown_text="8 am"), judged(3, "correct", shown_text="8 am")
    )  # fmt: skip
    assert [row.label for row in (*result.rows, *result.rejects)] == [3, 2]
    assert [(out.label, out.kind) for out in result.left_out] == [(1, "agrees")]


def test_of_two_labels_that_contradict_each_other_the_newest_wins_and_the_other_is_reported():
    result = decided(judged(3, "correct", text="10 am"), judged(2, text="9 am"), judged(4, "unanswerable"))
    assert [row.label for row in result.rows] == [4]
    assert {(out.label, out.kind) for out in result.left_out} == {(2, "contradicted"), (3, "contradicted")}
    assert all("newer label 4" in out.reason for out in result.left_out)


def test_two_people_who_agree_but_for_case_give_one_row_and_two_right_wordings():
    [row] = decided(judged(1, text="9 AM."), judged(2, text="9 am")).rows
    assert (row.label, row.text, row.also_right) == (2, "9 am", ("9 AM.",))


def test_a_rejected_passage_does_not_contradict_an_answer_from_another_one():
    result = decided(judged(1, "wrong_passage"), judged(2, "correct", passage=8))
    assert {(row.kind, row.passage) for row in result.rows} == {("negative", 5), ("correct", 8)}
    assert not result.left_out


def test_an_answer_and_a_rejection_of_the_same_passage_contradict_and_the_newest_wins():
    older_answer = decided(judged(1), judged(2, "wrong_passage"))
    assert [row.label for row in older_answer.rows] == [2]
    assert [(out.label, out.kind) for out in older_answer.left_out] == [(1, "contradicted")]
    newer_answer = decided(judged(1, "wrong_passage"), judged(2))
    assert [row.label for row in newer_answer.rows] == [2]


def test_a_label_without_any_passage_is_left_out_unless_the_task_needs_none():
    label = judged(1, answer=None, read_passage=None, first_passage=None)
    assert [out.kind for out in decided(label).left_out] == ["no_passage"]
    assert len(decide([label], uses_passages=False).rows) == 1


def test_two_writings_of_a_question_are_in_the_same_split():
    rows = decided(judged(1), judged(2, question=2, question_text="when does  bistro luna open")).rows
    assert rows[0].split == rows[1].split
