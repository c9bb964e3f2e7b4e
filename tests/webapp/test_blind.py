"""Some questions come without the model's answer, so that it can be told how much seeing it leads people."""

import re

import pytest
from flask.testing import FlaskClient

from tests.webapp.evaluated import add_row, make_iteration
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
    buttons = re.findall(r'<button [^>]*name="decision" value="(\w+)"[^>]*>([\w ]+?) <kbd', page)
    assert buttons == [("correct", "Answer"), ("unanswerable", "Unanswerable"), ("skip", "Skip")]
    assert not re.search(r'<button [^>]*name="decision"[^>]* disabled', page)
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


def test_the_label_says_what_its_page_showed_whatever_the_setting_became(client: FlaskClient, blind: Project) -> None:
    hidden, hidden_form = take(client, blind)
    set_project(blind, blind=0)
    decide(client, blind, hidden, hidden_form, "unanswerable")
    shown, shown_form = take(client, blind)
    set_project(blind, blind=1, seed=7)
    decide(client, blind, shown, shown_form, "wrong_answer")
    assert [(label.is_blind, label.reject_reason) for label in labels_of(blind)] == [
        (True, "unanswerable"),
        (False, "wrong_answer"),
    ]


@pytest.mark.parametrize("forged", ["", "1", "x" * 43, "é"])
def test_a_form_without_our_seal_is_not_blind_and_its_label_is_kept(
    client: FlaskClient, blind: Project, forged: str
) -> None:
    question, form = take(client, blind)
    assert decide(client, blind, question, {**form, "blind": forged}, "unanswerable").status_code == 303
    assert [label.is_blind for label in labels_of(blind)] == [False]


def test_a_seal_holds_for_its_own_question_person_and_version_only(
    client: FlaskClient, annotator: FlaskClient, blind: Project
) -> None:
    first, form = take(client, blind)
    decide(client, blind, first, form, "skip")
    seals = {form["blind"]}
    for browser in (client, annotator):
        question, other = take(browser, blind)
        decide(browser, blind, question, {**other, "blind": form["blind"]}, "unanswerable")
        seals.add(other["blind"])
    again = form_of(client.get(f"/p/{blind.id}/annotate/{first}").text)
    decide(client, blind, first, {**again, "blind": form["blind"]}, "unanswerable")
    assert [label.is_blind for label in labels_of(blind)] == [True, False, False, False]
    assert len(seals | {again["blind"]}) == 4


def test_a_skipped_question_stays_blind_until_something_is_decided(client: FlaskClient, blind: Project) -> None:
    question, form = take(client, blind)
    decide(client, blind, question, form, "skip")
    [skip] = labels_of(blind)
    again = client.get(f"/p/{blind.id}/annotate/{question}").text
    assert "Quokkas" not in again
    assert "Quokkas" not in client.get(f"/p/{blind.id}/labels").text
    assert "Quokkas" not in client.get(f"/p/{blind.id}/labels/{skip.id}").text
    undone = client.post(
        f"/p/{blind.id}/annotate/undo", data={"label": skip.id, "submission_id": "undo-the-skip"}, headers={"HX-Request": "true"}
    ).text  # fmt: skip
    assert "Quokkas" not in undone
    decide(client, blind, question, form_of(undone), "correct", text="On Sundays only.")
    label = labels_of(blind)[-1]
    assert (label.verdict, label.is_blind) == ("correct", True)
    assert "Quokkas" in client.get(f"/p/{blind.id}/annotate/{question}").text
    assert "Quokkas" in client.get(f"/p/{blind.id}/labels/{label.id}").text


def test_who_has_still_to_decide_blind_sees_neither_the_answer_nor_what_another_wrote(
    client: FlaskClient, annotator: FlaskClient, blind: Project
) -> None:
    set_project(blind, blind=1, overlap=2)
    question, form = take(client, blind)
    decide(client, blind, question, form, "correct", text="Wombats only.", reason="The sign says so.")
    [label] = labels_of(blind)
    paths = (f"/p/{blind.id}/labels", f"/p/{blind.id}/labels?history=all", f"/p/{blind.id}/labels/{label.id}")
    for path in paths:
        page = annotator.get(path).text
        assert "Quokkas" not in page
        assert "Wombats" not in page
        assert "The sign says so" not in page
        own = client.get(path).text
        assert "Quokkas" in own
        assert "Wombats" in own
    mine = form_of(annotator.get(f"/p/{blind.id}/annotate/{question}").text)
    decide(annotator, blind, question, mine, "unanswerable")
    for path in paths:
        assert "Wombats" in annotator.get(path).text


@pytest.mark.parametrize("kind", ["", "correct", "preference", "triple"])
def test_the_dataset_page_tells_it_nothing_either(
    client: FlaskClient, annotator: FlaskClient, blind: Project, kind: str
) -> None:
    set_project(blind, blind=0, overlap=2)  # the first sees the answer, so that the correction is a preference too
    question, form = take(client, blind)
    decide(client, blind, question, form, "correct", text="quick lunch")  # stands in a passage: a triple too
    set_project(blind, blind=1)
    path = f"/p/{blind.id}/dataset?kind={kind}"
    page = annotator.get(path).text
    assert "hidden: you decide this question without it" in page
    for told in ("quick lunch", "Quokkas", "Lovely patio", "<mark>", "<ins>", "<del>", "stand word for word"):
        assert told not in page
    assert "hidden: you decide" not in client.get(path).text
    mine = form_of(annotator.get(f"/p/{blind.id}/annotate/{question}").text)
    decide(annotator, blind, question, mine, "skip")
    assert "hidden: you decide" in annotator.get(path).text
    mine = form_of(annotator.get(f"/p/{blind.id}/annotate/{question}").text)
    decide(annotator, blind, question, mine, "correct", text="Bilbies too.")
    assert "hidden: you decide" not in annotator.get(path).text


def test_an_iteration_page_tells_neither_the_right_answer_nor_the_models_of_a_question_still_to_decide(
    client: FlaskClient, annotator: FlaskClient, blind: Project
) -> None:
    set_project(blind, overlap=2)
    question, form = take(client, blind)
    decide(client, blind, question, form, "correct", text="Wombats only.")
    iteration, _ = make_iteration(blind, 1)
    ranks = {"before_rank": 7, "after_rank": 3, "after": {"f1": 0.0, "mrr_at_10": 1.0}}
    said = {"gold": ["Wombats only."], "before_text": "Numbats", "after_text": SAID, **ranks}
    add_row(iteration, question, before_blame="reading_missed", after_blame="should_have_answered", **said)
    path = f"/p/{blind.id}/iterations/1"
    page = annotator.get(path).text
    assert "hidden: you decide this question without it" in page
    for told in ("Wombats", "Numbats", "Quokkas", "7 → 3", '<span class="meta">should have answered'):
        assert told not in page
    for told in ("Wombats", "Numbats", "Quokkas", "7 → 3", '<span class="meta">should have answered'):
        assert told in client.get(path).text
    blamed = f"{path}?blame=should_have_answered"
    assert "Can I bring my dog" not in annotator.get(blamed).text
    assert "you have still to decide it without an answer: 1 question." in annotator.get(blamed).text
    assert "Can I bring my dog" in client.get(blamed).text
    mine = form_of(annotator.get(f"/p/{blind.id}/annotate/{question}").text)
    decide(annotator, blind, question, mine, "unanswerable")
    assert "Wombats" in annotator.get(path).text
    assert "Can I bring my dog" in annotator.get(blamed).text


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
