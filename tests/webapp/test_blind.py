"""Some questions come without the model's answer, so that it can be told how much seeing it leads people."""

import pytest
from flask.testing import FlaskClient

from tests.webapp.queue_rows import (
    add_answer,
    add_passages,
    add_question,
    add_queue,
    add_release,
    decide,
    form_of,
    labels_of,
    next_page,
    set_project,
    take,
)
from webapp.label.blind import is_drawn
from webapp.models import Project

SAID = "Quokkas at the zinc counter"  # in no passage and no question


@pytest.fixture
def blind(project: Project) -> Project:
    """Every question is served blind."""
    add_queue(project, 3, answer=SAID)
    set_project(project, blind=1)
    return project


def test_a_blind_page_never_has_the_models_answer_in_it(client: FlaskClient, blind: Project) -> None:
    first = next_page(client, blind)
    question, _ = take(client, blind)
    pages = [first] + [
        client.get(f"/p/{blind.id}/annotate{path}", headers=headers).text
        for path in ("", f"/{question}")
        for headers in ({}, {"HX-Request": "true"})
    ]
    for page in pages:
        assert "Your answer, without the model's" in page.replace("&#39;", "'")
        assert "Quokkas" not in page
        assert "zinc" not in page
        assert "<mark>" not in page
        assert "used for the answer" not in page
        assert "confidence" not in page
        assert 'class="card passage used"' not in page


def test_the_same_page_without_blindness_has_the_answer(client: FlaskClient, blind: Project) -> None:
    set_project(blind, blind=0)
    page = next_page(client, blind)
    assert SAID in page
    assert "<mark>" in page
    assert "used for the answer" in page


def test_a_blind_page_offers_what_can_be_decided_without_an_answer(client: FlaskClient, blind: Project) -> None:
    page = next_page(client, blind)
    offered = [part.split('"')[0] for part in page.split('<button name="decision" value="')[1:]]
    assert offered == ["correct", "unanswerable", "skip"]
    assert 'data-key="e"' in page
    assert 'class="correction open"' in page


def test_a_blind_label_is_stored_as_one_and_only_then_the_model_is_heard(client: FlaskClient, blind: Project) -> None:
    question, form = take(client, blind)
    response = decide(client, blind, question, form, "correct", text="On Sundays only.", headers={"HX-Request": "true"})
    assert response.status_code == 200
    [label] = labels_of(blind)
    assert (label.is_blind, label.verdict, label.text) == (True, "correct", "On Sundays only.")
    assert label.answer_id is not None
    assert f"The model had said “{SAID}”." in response.text
    again = client.get(f"/p/{blind.id}/annotate/{question}").text
    assert 'id="shown-answer">' + SAID in again
    its_page = client.get(f"/p/{blind.id}/labels/{label.id}").text
    assert "without the model's answer</span>" in its_page
    assert "<ins>" not in its_page
    assert "characters changed" not in its_page


def test_an_answer_like_the_models_is_as_good_as_any_other(client: FlaskClient, blind: Project) -> None:
    question, form = take(client, blind)
    assert decide(client, blind, question, form, "correct", text=SAID).status_code == 303
    assert labels_of(blind)[0].text == SAID


@pytest.mark.parametrize("decision", ["accept", "wrong_answer", "wrong_passage"])
def test_what_nobody_saw_can_be_neither_accepted_nor_called_wrong(
    client: FlaskClient, blind: Project, decision: str
) -> None:
    question, form = take(client, blind)
    refused = decide(client, blind, question, form, decision)
    assert refused.status_code == 400
    assert "write the answer yourself" in refused.text
    assert "Quokkas" not in refused.text
    assert labels_of(blind) == []


def test_a_form_cannot_say_that_it_was_blind_or_was_not(client: FlaskClient, blind: Project) -> None:
    question, form = take(client, blind)
    decide(client, blind, question, {**form, "is_blind": "0", "is_from_page": ""}, "unanswerable")
    set_project(blind, blind=0)
    question, form = take(client, blind)
    decide(client, blind, question, {**form, "is_blind": "1"}, "unanswerable")
    assert [label.is_blind for label in labels_of(blind)] == [True, False]


def test_a_change_of_mind_after_seeing_the_answer_is_not_blind(client: FlaskClient, blind: Project) -> None:
    question, form = take(client, blind)
    decide(client, blind, question, form, "unanswerable")
    form = form_of(client.get(f"/p/{blind.id}/annotate/{question}").text)
    assert decide(client, blind, question, form, "accept").status_code == 303
    assert [label.is_blind for label in labels_of(blind)] == [True, False]


def test_after_an_undo_the_answer_is_seen(client: FlaskClient, blind: Project) -> None:
    question, form = take(client, blind)
    decide(client, blind, question, form, "unanswerable")
    [label] = labels_of(blind)
    page = client.post(
        f"/p/{blind.id}/annotate/undo",
        data={"label": label.id, "submission_id": "undo-this-one"},
        headers={"HX-Request": "true"},
    ).text
    assert SAID in page


def test_a_decision_sent_twice_stays_one_blind_label(client: FlaskClient, blind: Project) -> None:
    question, form = take(client, blind)
    for _ in range(2):
        assert decide(client, blind, question, form, "correct", text="On Sundays only.").status_code == 303
    assert [label.is_blind for label in labels_of(blind)] == [True]


def test_a_typed_question_is_answered_openly(client: FlaskClient, project: Project) -> None:
    release, passages = add_release(project), add_passages(project, "Nothing of that kind.")
    set_project(project, blind=1)
    typed = add_question(project, "What did I ask?", source="typed", priority=-1.0)
    add_answer(typed, release, SAID, passages)
    assert SAID in next_page(client, project)


def test_about_the_wanted_share_is_drawn_and_another_person_gets_others() -> None:
    drawn = [
        {question for question in range(5_000) if is_drawn(0.1, 0, question_id=question, person_id=person)}
        for person in (1, 2)
    ]
    assert all(420 < len(mine) < 580 for mine in drawn)
    assert len(drawn[0] & drawn[1]) < 100
    assert not any(is_drawn(0.0, 0, question_id=question, person_id=1) for question in range(100))
    assert drawn[0] != {question for question in range(5_000) if is_drawn(0.1, 1, question_id=question, person_id=1)}


def test_the_share_is_a_setting_of_the_project(client: FlaskClient, project: Project) -> None:
    assert "Share of questions served blind" in client.get(f"/p/{project.id}/settings").text
    refused = client.post(f"/p/{project.id}/settings", data={"blind": "2"})
    assert refused.status_code == 400
