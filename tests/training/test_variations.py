"""Question variations: they differ, they keep names and numbers, and their round trip gives the question back."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from training.generator import examples
from training.variations import RULES, canonical, variations, vary

QUESTION = "When does Café Brelora open on 14 Mondays?"


def test_it_finds_different_variations_and_never_the_question_itself():
    found = variations(QUESTION, 12)
    assert len(found) == 12
    assert len(set(found)) == 12
    assert QUESTION not in found


def test_it_gives_the_same_variations_for_the_same_seed():
    assert variations(QUESTION, 5, seed=3) == variations(QUESTION, 5, seed=3)
    assert variations(QUESTION, 5, seed=3) != variations(QUESTION, 5, seed=4)


def test_it_changes_wording_case_and_punctuation():
    found = variations(QUESTION, 60)
    assert any(text == text.lower() for text in found)
    assert any("time" in text.casefold() for text in found)
    assert any(text.endswith("??") for text in found)
    assert any(text.casefold().startswith(("hi, ", "hello, ")) for text in found)


def test_every_variation_survives_the_round_trip():
    for row in examples(300, 1):
        for text in variations(row.text, 4):
            assert canonical(text) == canonical(row.text)


def test_a_change_of_meaning_does_not_survive():
    assert canonical("When does Brelora open?") == canonical("hi, AT WHAT TIME does brelora open")
    assert canonical("When does Brelora open?") != canonical("When does Brelora close?")
    assert canonical("When does Brelora open?") != canonical("When does Breloran open?")
    assert canonical("Is 9:30 fine?") != canonical("Is 930 fine?")


def test_a_rule_that_would_change_the_meaning_is_dropped():
    # "so" opens this question as a courtesy would: a rule must not take it for one and lose a word.
    question = "So Brelora closes when?"
    assert all("brelora closes" in text.casefold() for text in variations(question, 20))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.integers(0, 1000))
def test_any_text_survives(question: str, seed: int):
    changed = vary(question, Random(seed))
    assert canonical(changed) == canonical(question)


def test_every_rule_finds_something_to_do():
    random = Random(2)
    for name, rule in RULES.items():
        assert any(rule("When Does Brelora open?", random) != "When Does Brelora open?" for _ in range(200)), name
