"""The fixed questions, the rolling ones, and the best that every champion so far did on them."""

import pytest
from flask import Flask

from tests.webapp.evaluated import add_row, make_iteration, promote_row
from tests.webapp.labelled import Labelled, make_labelled, make_question
from training.types import Gold, Prediction
from webapp.datasets.examples import Evaluation
from webapp.iterations.asked import Asked, splits_of
from webapp.iterations.history import Past, past_champions
from webapp.iterations.reading import Side
from webapp.iterations.slices import refused, watch
from webapp.iterations.watched import judge
from webapp.models import Person, Project


@pytest.fixture
def labelled(app: Flask, project: Project, person: Person) -> Labelled:
    return make_labelled(project, person)


def questions(labelled: Labelled, count: int) -> list[int]:
    return [
        make_question(labelled.project, f"Is {i} cards?", labelled.release, (labelled.luna,)).id for i in range(count)
    ]


def test_the_fixed_questions_are_those_of_the_first_comparison_of_thirty_and_never_more(labelled: Labelled):
    project, ids = labelled.project, questions(labelled, 34)
    few, _ = make_iteration(project, 1)
    add_row(few, ids[33])
    assert set(splits_of(project, ids, None).values()) == {"fixed"}  # too few to be held to for ever
    first, _ = make_iteration(project, 2)
    for question in ids[:30]:
        add_row(first, question)
    second, _ = make_iteration(project, 3)
    for question in ids[:32]:
        add_row(second, question)
    splits = splits_of(project, ids, second)
    assert [splits[question] for question in ids[:30]] == ["fixed"] * 30
    assert [splits[question] for question in ids[30:]] == ["earlier", "earlier", "rolling", "rolling"]
    assert splits_of(project, ids, first)[ids[31]] == "rolling"  # its champion was made before that question came


def test_past_champions_are_those_that_were_in_service_and_the_first_of_all(labelled: Labelled):
    project, [question] = labelled.project, questions(labelled, 1)
    for number, score in ((1, 0.2), (2, 0.9), (3, 0.5)):
        iteration, _ = make_iteration(project, number)
        add_row(iteration, question, before={"f1": 0.1}, after={"f1": score})
    promote_row(project, 2)
    promote_row(project, 4)
    found = {past.name: past.scores[question] for past in past_champions(project, "f1", present=iteration)}
    assert found == {"release 2, once in service": (("yes",), 0.2), "the first model in service": (("yes",), 0.1)}


def ask(place: int, *answers: str, decision: str = "correct") -> Asked:
    row = Evaluation(Gold(str(place), f"Question {place}?", (), answers), "label", place, place)
    return Asked(row, decision, None, "fixed")


def side(*scores: float) -> Side:
    predictions = [Prediction("x" if score else "", bool(score), 1.0, 1.0, 0.0, "x") for score in scores]
    return Side(tuple(predictions), {}, tuple({"f1": score} for score in scores))


def test_a_slice_is_held_to_the_champion_that_was_best_on_it_not_to_the_present_one():
    asked = [ask(i, "yes") for i in range(1, 21)]
    past = [
        Past("release 2, once in service", {i: (("yes",), 1.0) for i in range(1, 21)}),
        Past("release 3, once in service", {i: (("yes",), 0.5) for i in range(1, 21)}),
    ]
    watched = watch(asked, side(*[0.4] * 20), side(*[0.5] * 20), metric="f1", name="F1", retrieval={}, past=past)
    best = [one for one in watched if one.against == "release 2, once in service"]
    assert {one.name for one in best} == {"F1 on answerable questions", "F1 on questions with a corrected answer"}
    assert all((one.before, one.after) == ([1.0] * 20, [0.5] * 20) for one in best)


def test_questions_whose_right_answer_changed_are_not_held_against_the_past():
    asked = [ask(i, "yes") for i in range(1, 21)]
    past = [Past("release 2", {i: (("no",), 1.0) for i in range(1, 21)})]
    watched = watch(asked, side(*[0.4] * 20), side(*[0.5] * 20), metric="f1", name="F1", retrieval={}, past=past)
    assert all(one.against != "release 2" for one in watched)


def test_refusals_are_counted_among_answerable_questions_only():
    asked = [ask(1, "yes"), ask(2, "yes"), ask(3, decision="unanswerable")]
    found = refused(asked, side(1.0, 0.5, 1.0), side(1.0, 0.0, 0.0), "f1")
    assert found is not None
    assert (found.before, found.after, found.n, found.has_gained) == (0.0, 0.5, 2, False)


def test_ten_small_losses_in_a_row_do_not_add_up_unseen():
    """Every candidate gains four answers of one kind and loses one of another: each loss alone is a point and no more."""
    asked = [ask(i, "yes") for i in range(100)] + [ask(i, decision="unanswerable") for i in range(100, 200)]
    answerable, unanswerable, past, promoted = 0, 100, [], []
    for number in range(2, 12):
        before = side(
            *[1.0] * answerable, *[0.0] * (100 - answerable), *[1.0] * unanswerable, *[0.0] * (100 - unanswerable)
        )
        after = side(
            *[1.0] * (answerable + 4),
            *[0.0] * (96 - answerable),
            *[1.0] * (unanswerable - 1),
            *[0.0] * (101 - unanswerable),
        )
        watched = watch(asked, before, after, metric="f1", name="F1", retrieval={}, past=past)
        assert {one.kind for one in watched if one.against != "the model in service"} <= {"best"}
        judged = judge(watched, noise=2.0, seed=0)
        assert all(one.verdict == "fine" for one in judged if one.watched.against == "the model in service")
        if any(one.verdict == "doubt" for one in judged):
            break
        answerable, unanswerable = answerable + 4, unanswerable - 1
        past.append(
            Past(
                f"release {number - 1}",
                {i: (one.row.gold.answers, before.each[i]["f1"]) for i, one in enumerate(asked)},
            )
        )
        promoted.append(number)
    assert len(promoted) == 5
    assert unanswerable >= 90
