"""Which passages count as right for a gold row, and what the retrieval figures make of them."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.answerers.rows import find_answer
from training.squad import QuestionRow
from webapp.iterations.evaluation import score_retrieval
from webapp.iterations.relevance import Sought, relevant_passages

CONTEXT = (
    "The kitchen of Bistro Luna opens at nine in the morning. The garden of Bistro Luna has twelve small green tables."
)
HALVES = [
    (1, "The kitchen of Bistro Luna opens at nine in the morning."),
    (2, "The garden of Bistro Luna has twelve small green tables."),
]


def test_of_the_passages_of_a_context_the_one_with_the_answer_is_relevant():
    assert relevant_passages([Sought("a", CONTEXT, ("nine",))], HALVES) == {"a": {1}}


def test_the_same_words_in_another_text_are_not_relevant():
    elsewhere = (3, "Cafe Sol closes at nine.")
    assert relevant_passages([Sought("a", CONTEXT, ("nine",))], [*HALVES, elsewhere]) == {"a": {1}}


def test_an_answer_within_a_word_is_not_in_the_passage_and_another_case_is():
    built = "The house of Bistro Luna was built in 1995 by Marco."
    menu = "The menu of the house costs 5 euros, and NINE euros with wine."
    row = Sought("a", f"{built} {menu}", ("5",))
    passages = [(1, built), (2, menu), (3, "Cafe Sol was built in 1995.")]
    assert relevant_passages([row], passages) == {"a": {2}}
    assert relevant_passages([Sought("a", row.context, ("nine",))], passages) == {"a": {2}}
    assert relevant_passages([Sought("a", "", ("5",))], passages) == {"a": {2}}


LETTERS = st.sampled_from("iI\u0130\u0131sS\u017fkK\u212aßẞσςΣéÉeµμǆǅﬁff. 1\u0307")


@given(st.text(LETTERS, min_size=1, max_size=3), st.text(LETTERS, max_size=12))
@example("strasse", "Straße")
@example("is", "\u0131\u017f")
@example("\u0130S", "is")
def test_an_answer_in_whatever_letters_is_found_wherever_a_plain_search_finds_it(answer: str, passage: str):
    before = r"(?<!\w)" if re.match(r"\w", answer[0]) else ""
    after = r"(?!\w)" if re.match(r"\w", answer[-1]) else ""
    stands = re.search(f"{before}{re.escape(answer)}{after}", passage, re.IGNORECASE) is not None
    found = relevant_passages([Sought("a", "", (answer,))], [(1, passage)])
    assert found == ({"a": {1}} if stands and answer.strip() else {})


def test_every_letter_is_found_in_another_case_of_it():
    letters = [letter for letter in map(chr, range(0x110000)) if letter.lower() != letter or letter.upper() != letter]
    assert len(letters) > 2000
    for letter in letters:
        for other in {letter.lower(), letter.upper(), letter.title(), letter.lower().upper(), letter.upper().lower()}:
            if re.fullmatch(letter, other, re.IGNORECASE):
                assert find_answer(letter, other) == find_answer(other, letter) == (0, 1), (letter, other)


def test_only_passages_that_may_hold_an_answer_are_searched_for_it(monkeypatch: pytest.MonkeyPatch):
    searched: list[str] = []

    def search(pattern: str, text: str, flags: int = 0) -> re.Match[str] | None:
        searched.append(text)
        return re.search(pattern, text, flags)

    counted = SimpleNamespace(search=search, escape=re.escape, IGNORECASE=re.IGNORECASE)
    monkeypatch.setattr("training.answerers.rows.re", counted)
    texts = ["The café opens at nine.", "CAFÉ Sol", "The garden has \u017fix tables.", "Zoë cooks."]
    rows = [Sought("a", "", ("Café",)), Sought("b", "", ("six",))]
    assert relevant_passages(rows, enumerate(texts, 1)) == {"a": {1, 2}, "b": {3}}
    assert set(searched) == set(texts[:3])


def test_an_answer_cut_in_two_makes_every_part_of_its_context_relevant():
    assert relevant_passages([Sought("a", CONTEXT, ("morning. The garden",))], HALVES) == {"a": {1, 2}}


def test_without_a_context_any_passage_with_the_answer_is_relevant():
    assert relevant_passages([Sought("a", "", ("green tables",))], HALVES) == {"a": {2}}


def test_a_context_that_is_not_in_the_corpus_has_no_relevant_passage():
    assert relevant_passages([Sought("a", "Nothing of this was ever imported here.", ("nine",))], HALVES) == {}


def test_short_contexts_are_found_too():
    assert relevant_passages([Sought("a", "Anna, Rome.", ("Rome",))], [(7, "Anna  Rome")]) == {"a": {7}}


def test_the_figures_are_means_over_questions_the_corpus_can_answer():
    rows = [
        QuestionRow("1", "When?", CONTEXT, (("nine", 0),)),
        QuestionRow("2", "How many tables?", CONTEXT, (("twelve", 0),)),
        QuestionRow("3", "Who cooks?", CONTEXT, ()),
        QuestionRow("4", "Where?", "A text that nobody imported, ever.", (("text", 2),)),
    ]
    metrics, counted = score_retrieval(rows, [[1, 2], [1, 2], [1, 2], [1, 2]], iter(HALVES))
    assert counted == 2
    assert metrics["recall_at_1"] == 0.5
    assert metrics["recall_at_5"] == 1.0
    assert metrics["mrr_at_10"] == pytest.approx(0.75)
    assert metrics["ndcg_at_10"] == pytest.approx((1 + 0.6309) / 2, abs=1e-3)


def test_nothing_to_judge_gives_no_figures():
    assert score_retrieval([], [], iter(HALVES)) == ({}, 0)
