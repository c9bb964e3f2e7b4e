"""What the benchmark of ten iterations says of a row of releases."""

from itertools import count
from random import Random
from typing import Any

import pytest

from benchmarks.ten_iterations import summary
from training.generator.restaurants import RESTAURANT
from training.recipes import demo


def step(number: int, decision: str, **slices: tuple[float, float]) -> dict[str, Any]:
    return {
        "iteration": number, "decision": decision, "is_promoted": decision == "promote", "slices": slices,
        "questions": dict.fromkeys(slices, 50),
    }  # fmt: skip


def test_only_promoted_releases_count_and_the_last_is_measured_against_the_best_of_each_slice() -> None:
    found = summary([
        step(1, "promote", yes=(0.50, 0.60), no=(0.80, 0.79)),
        step(2, "hold", yes=(0.60, 0.10), no=(0.79, 0.99)),
        step(3, "promote", yes=(0.60, 0.59), no=(0.79, 0.75)),
    ])  # fmt: skip
    assert found["promoted"] == 2
    assert found["worst_fall"] == {"points": pytest.approx(4.0), "slice": "no", "iteration": 3}
    assert found["under_the_best"] == {"yes": pytest.approx(1.0), "no": pytest.approx(5.0)}
    assert found["gained"] == {"yes": pytest.approx(9.0), "no": pytest.approx(-5.0)}


def test_without_a_promotion_nothing_fell() -> None:
    found = summary([step(1, "hold", yes=(0.5, 0.1))])
    assert (found["promoted"], found["worst_fall"]["points"], found["under_the_best"]) == (0, 0.0, {})


def test_what_is_played_as_unanswerable_no_document_of_the_world_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    random, numbers = Random(3), count()
    places = demo.restaurants(random)
    told = demo.documents(random, places)
    own, named = {family.key for family in RESTAURANT.families}, places[0].name
    monkeypatch.setattr(demo, "_question", lambda _, place, family: f"{place.name}|{family.key}|{next(numbers) % 40}")
    asked = {row["question"] for row in demo.untold(random, places, told, taken=set(), count=200)}
    parts = [question.split("|") for question in asked]
    assert len(parts) == 200
    assert any(key in own for _, key, _ in parts)  # of places that nothing tells of
    # A new place that is called like one of the world is asked nothing that its documents may tell.
    monkeypatch.setattr(demo, "make_place", lambda *_: places[0])
    rows = demo.untold(random, places, told, taken=asked, count=200)
    keys = [row["question"].split("|")[1] for row in rows if row["question"].startswith(named)]
    assert keys
    assert not own.intersection(keys)
    assert not asked.intersection(row["question"] for row in rows)
    assert all(row["is_impossible"] and not row["answers"] for row in rows)
