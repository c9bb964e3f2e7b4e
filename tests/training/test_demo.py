"""The bundled demo: as its recipe writes it, with names nobody trained on and gold answers that stand in their documents."""

import json
import re
from pathlib import Path

import pytest

from training.generator.names import split_of
from training.recipes.demo import build

DEMO = Path(__file__).parents[2] / "webapp" / "demo"
FILES = ("corpus.jsonl", "questions.jsonl", "gold.jsonl")


def _rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (DEMO / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", FILES)
def test_it_is_what_its_recipe_writes(name: str):
    assert _rows(name) == build()[name]


def test_it_has_documents_of_all_lengths():
    words = [len(row["text"].split()) for row in _rows("corpus.jsonl")]
    assert 120 <= len(words) <= 200
    assert max(words) > 200
    assert sorted(words)[len(words) // 2] < 120


def test_its_restaurants_are_nobody_elses():
    titles = {word for row in _rows("corpus.jsonl") for word in re.findall(r"[A-Z][a-zé]{3,}", row["title"])}
    common = {
        "Back",
        "Bistro",
        "Café",
        "Casa",
        "Chez",
        "Good",
        "Grill",
        "House",
        "Kitchen",
        "Lunch",
        "Notes",
        "Table",
        "Trattoria",
    }
    assert {split_of(word) for word in titles - common} == {"demo"}


def _share_of_new(questions):
    new = [text for text in questions if re.search(r"\b(park|parking|cars?|pay|payment|bill)\b", text, re.IGNORECASE)]
    return len(new) / len(questions)


def test_its_queue_asks_much_of_what_the_starter_never_practised():
    questions = [row["question"] for row in _rows("questions.jsonl")]
    assert len({question.casefold() for question in questions}) == len(questions) >= 200
    assert _share_of_new(questions) >= 0.35


def test_its_gold_asks_about_as_much_of_that_as_its_queue():
    gold = [row["question"] for row in _rows("gold.jsonl")]
    assert abs(_share_of_new(gold) - _share_of_new([row["question"] for row in _rows("questions.jsonl")])) <= 0.1


def test_its_gold_answers_stand_where_they_say():
    rows = _rows("gold.jsonl")
    texts = {row["text"] for row in _rows("corpus.jsonl")}
    queue = {row["question"].casefold() for row in _rows("questions.jsonl")}
    assert 60 < sum(row["is_impossible"] for row in rows) < 120
    for row in rows:
        assert row["context"] in texts
        assert row["question"].casefold() not in queue
        assert row["is_impossible"] == (not row["answers"])
        for answer in row["answers"]:
            assert row["context"][answer["start"] : answer["start"] + len(answer["text"])] == answer["text"]
