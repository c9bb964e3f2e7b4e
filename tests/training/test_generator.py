"""The generator: names never shared, answers in the passages, strangers not answerable, the same text for the same seed."""

import re
from random import Random

import pytest

from training.generator import LEFT_OUT, examples, golds, rehearsal
from training.generator.families import wordings
from training.generator.names import SPLITS, coin, halves, split_of
from training.generator.pages import DOMAINS, make_place, write_page
from training.generator.rows import ask_page
from training.types import Example


def test_it_gives_every_name_to_exactly_one_split():
    random = Random(1)
    found = {split: {coin(random, split).casefold() for _ in range(3000)} for split in SPLITS}
    assert not found["train"] & found["test"]
    assert not found["train"] & found["demo"]
    assert not found["test"] & found["demo"]
    assert all(split_of(name) == split for split, names in found.items() for name in names)


def test_it_uses_no_training_name_in_test_text():
    words = {split: _made_up(examples(600, 1, split=split)) for split in SPLITS}
    assert all(len(found) > 100 for found in words.values())
    assert not words["train"] & words["test"]
    assert not words["demo"] & (words["train"] | words["test"])


def _made_up(rows: list[Example]) -> set[str]:
    """The made-up words of rows, by the two halves they are made of."""
    found = {word for row in rows for word in re.findall(r"[^\W\d_]+", f"{row.passage} {row.text}")}
    return {word.casefold() for word in found if halves(word, "|") != word}


def test_it_refuses_an_unknown_split():
    with pytest.raises(ValueError, match="Unknown split 'dev'"):
        coin(Random(1), "dev")


def test_it_writes_the_same_rows_for_the_same_seed():
    assert examples(50, 5) == examples(50, 5)
    assert examples(50, 5) != examples(50, 6)


def test_it_copies_values_and_lists_from_the_passage():
    rows = [row for row in examples(2000, 2) if row.target.answerable and row.target.text not in ("Yes", "No")]
    assert len(rows) > 700
    for row in rows:
        assert row.target.start is not None
        assert row.passage[row.target.start : row.target.start + len(row.target.text)] == row.target.text


def test_it_asks_about_strangers_and_untold_facts_without_an_answer():
    random, seen = Random(3), set()
    for _ in range(300):
        page = write_page(random, "train")
        for asked in ask_page(page, random, count=8, split="train", varied=0.0):
            seen.add(asked.case)
            if asked.case == "stranger":
                assert asked.answer is None
            if asked.case == "missing":
                assert asked.answer is None
                named = page.place.name in asked.question
                told = page.stated if named else page.other_stated
                assert asked.family.key not in told
    assert seen == {"stated", "other", "missing", "stranger"}


def test_a_stranger_is_not_named_in_the_passage():
    random = Random(4)
    for _ in range(300):
        page = write_page(random, "test")
        for asked in ask_page(page, random, count=8, split="test", varied=0.0):
            names = [page.place.name] + ([page.other.name] if page.other else [])
            assert (asked.case == "stranger") == (not any(name in asked.question for name in names))


def test_more_than_a_third_of_the_rows_are_not_answerable():
    rows = examples(2000, 7)
    assert 0.33 < sum(not row.target.answerable for row in rows) / len(rows) < 0.42


def test_it_never_practises_the_left_out_families():
    for row in [*examples(2000, 8), *rehearsal(500, 9), *examples(500, 10, held_out=True)]:
        assert not re.search(r"\b(park|parking|payment|can [iwy]\w* pay)\b", row.text, re.IGNORECASE), row.text
    assert all(
        re.search(r"\b(park|parking|car|cars|pay|payment|bill)\b", row.text, re.I)
        for row in examples(200, 8, only=LEFT_OUT)
    )


def test_it_keeps_the_held_out_wordings_out_of_training():
    for domain in DOMAINS.values():
        for family in domain.families:
            trained = {text for template in family.questions for text in wordings(template)}
            kept = {text for template in family.held_out for text in wordings(template)}
            assert len(trained) >= 2
            assert kept
            assert not trained & kept, family.key


def test_every_family_states_what_it_asks():
    random = Random(11)
    for domain in DOMAINS.values():
        place = make_place(random, "train", domain)
        for family in domain.families:
            assert (family.kind == "yes_no") == bool(family.denials)
            for template in (*family.statements, *family.denials):
                assert "{x}" in template
            if family.value:
                assert all("{v}" in template for template in family.statements)
                assert place.facts[family.key]


def test_gold_rows_say_what_the_examples_say():
    rows = examples(40, 12)
    for row, gold in zip(rows, golds(rows), strict=True):
        assert gold.text == row.text
        assert gold.passages == (row.passage,)
        assert gold.answers == ((row.target.text,) if row.target.answerable else ())
