"""The order of work, as a pure function."""

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from webapp.ask.strategies import GAP, Candidate, order, score_slices, slice_of
from webapp.projects.settings import STRATEGIES

WORDS = "amber birch cedar delta ember fjord grove heron inlet jetty kayak lemon maple night ocean pearl quill river".split()


def questions(count: int, *, seed: int = 0) -> list[Candidate]:
    """Questions of four words each of a vocabulary of its own, so that few are alike."""
    chance = random.Random(seed)
    return [
        Candidate(number, " ".join(f"{word}{number}" for word in chance.sample(WORDS, 4)), score=chance.random())
        for number in range(1, count + 1)
    ]


def on_a_line(texts: Sequence[str]) -> NDArray[np.float32]:
    """A text that is a number of degrees becomes that direction in the plane."""
    angles = np.radians([float(text) for text in texts])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_question_has_one_place_whatever_order_they_come_in(strategy: str) -> None:
    asked = questions(120)
    first = order(asked, strategy, 3)
    assert sorted(first) == [one.id for one in asked]
    assert order(asked[::-1], strategy, 3) == first


def test_random_depends_on_the_seed_and_not_on_what_else_is_there() -> None:
    asked = questions(60)
    everything = order(asked, "random", 1)
    assert everything != order(asked, "random", 2)
    half = [number for number in everything if number % 2]
    assert order([one for one in asked if one.id % 2], "random", 1) == half


def test_uncertain_serves_the_least_sure_first_and_the_unanswered_last() -> None:
    asked = [Candidate(1, "amber", 0.9), Candidate(2, "birch"), Candidate(3, "cedar", 0.2), Candidate(4, "delta", 0.5)]
    assert order(asked, "uncertain", 0) == [3, 4, 1, 2]


def test_newest_serves_the_latest_import_first() -> None:
    assert order(questions(5), "newest", 0) == [5, 4, 3, 2, 1]


def test_diverse_goes_to_the_farthest_and_keeps_away_from_what_was_labelled() -> None:
    asked = [Candidate(degrees, str(degrees)) for degrees in (1, 30, 60, 89)]
    assert order(asked, "diverse", 0, embed=on_a_line, labelled=["0"])[0] == 89
    assert order(asked, "diverse", 0, embed=on_a_line, labelled=["90"])[0] == 1


def test_uncertain_and_diverse_does_not_ask_one_doubtful_thing_again_and_again() -> None:
    doubtful = [Candidate(number, str(number), 0.1) for number in range(1, 11)]
    surer = [Candidate(40 + number, str(40 + number), 0.5) for number in range(1, 11)]
    first_two = order(doubtful + surer, "uncertain_diverse", 0, embed=on_a_line)[:2]
    assert sorted(number > 40 for number in first_two) == [False, True]
    assert all(number <= 10 for number in order(doubtful + surer, "uncertain", 0, embed=on_a_line)[:1])


def test_the_worst_slice_comes_first_and_a_slice_nobody_measured_in_the_middle() -> None:
    good, bad, unknown = (
        Candidate(number, WORDS[number], slice=name) for number, name in ((1, "a"), (2, "b"), (3, ""))
    )
    assert order([good, unknown, bad], "worst_slice", 0, slice_scores={"a": 0.9, "b": 0.1}) == [2, 3, 1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_near_duplicates_never_stand_near_each_other(strategy: str) -> None:
    alike = [Candidate(1000 + number, f"When does Kavo Bistro open{'?' * number}", 0.01) for number in range(4)]
    places = {number: place for place, number in enumerate(order(questions(200) + alike, strategy, 5))}
    taken = sorted(places[one.id] for one in alike)
    assert all(later - earlier >= GAP for earlier, later in itertools.pairwise(taken)), taken


def test_a_queue_of_nothing_but_near_duplicates_is_served_all_the_same() -> None:
    alike = [Candidate(number, "When does Kavo Bistro open?") for number in range(1, 101)]
    assert sorted(order(alike, "random", 0)) == list(range(1, 101))


def test_an_unknown_strategy_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"random, uncertain.*not 'best'"):
        order(questions(3), "best", 0)


def test_a_slice_is_the_question_word_and_whether_the_model_answers() -> None:
    assert slice_of("In that case, when?", is_answered=True) == "when, answered"
    assert slice_of("Dogs allowed?", is_answered=False) == "other, said not answerable"


def test_a_slice_of_few_test_questions_says_nothing() -> None:
    assert score_slices([("a", 1.0)] * 4 + [("a", 0.0)] + [("b", 0.0)] * 4) == {"a": 0.8}
