"""Deciding: the rules of each verdict, what is shown before and after, and the page's fragments."""

import json
import re
import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from tests.webapp.queue_rows import (
    PARKING,
    PATIO,
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
)  # fmt: skip
from training.safety import SHIPPED
from webapp.db import write
from webapp.jobs.service import enqueue
from webapp.label.difference import edit_distance, word_changes
from webapp.label.highlight import cut
from webapp.models import Job, Project, Question, Release, db

HTMX = {"HX-Request": "true"}


def test_accept_stores_the_answer_and_what_was_shown(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    decide(client, project, question, form, "accept", reason="It says so.")
    label = labels_of(project)[0]
    shown = db.session.get_one(Question, question).answer_id
    assert (label.verdict, label.text, label.answer_id) == ("accept", "Yes, dogs are welcome at Kavo Bistro.", shown)
    assert (label.reason, label.edit_distance) == ("It says so.", 0)
    assert 0 <= label.seconds < 60


def test_correct_stores_the_words_the_passage_and_the_evidence(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    page = client.get(f"/p/{project.id}/annotate").text
    passage = _first_passage(page)
    span = {"passage": passage, "evidence_passage": passage, "start": 30, "end": 44}
    decide(client, project, question, form | span, "correct", text="They turned us")
    label = labels_of(project)[0]
    assert (label.text, label.passage_id, PATIO[label.start : label.end]) == (
        "They turned us",
        int(passage),
        "They turned us",
    )
    assert label.edit_distance == edit_distance("Yes, dogs are welcome at Kavo Bistro.", "They turned us") > 0


def _first_passage(page: str) -> str:
    return page.split('data-passage="')[1].split('"', maxsplit=1)[0]


def test_evidence_of_another_passage_than_the_chosen_one_is_left_out(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    first, second = [
        part.split('"')[0] for part in client.get(f"/p/{project.id}/annotate").text.split('data-passage="')[1:]
    ]
    span = {"passage": second, "evidence_passage": first, "start": 0, "end": 5}
    decide(client, project, question, form | span, "wrong_passage")
    label = labels_of(project)[0]
    assert (label.passage_id, label.start, label.end) == (int(second), None, None)


@pytest.mark.parametrize("decision", ["wrong_answer", "wrong_passage", "unanswerable"])
def test_a_rejection_says_why(client: FlaskClient, project: Project, decision: str) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    decide(client, project, question, form, decision, text="Not kept.")
    label = labels_of(project)[0]
    assert (label.verdict, label.reject_reason, label.text) == ("reject", decision, "")


def test_accepting_not_answerable_means_that_it_is_right(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1, answer="")
    question, form = take(client, project)
    assert "Not answerable from these passages." in client.get(f"/p/{project.id}/annotate").text
    decide(client, project, question, form, "accept")
    assert [(label.verdict, label.text) for label in labels_of(project)] == [("accept", "")]


@pytest.mark.parametrize(
    ("score", "best", "is_said"), [(0.83, "At 9.", True), (0.83, "", False), (0.3, "At 9.", False)]
)
def test_a_doubtful_not_answerable_says_that_an_answer_was_held_back(
    client: FlaskClient, project: Project, score: float, best: str, is_said: bool
) -> None:
    release, passages = add_release(project), add_passages(project, PATIO)
    question = add_question(project, "When does it open?")
    add_answer(question, release, "", passages, score=1 - score, answerable_score=score, best_text=best)
    page = next_page(client, project)
    assert f"confidence {1 - score:.2f}" in page
    assert ("holds an answer likelier than none, but answers only from a higher confidence on" in page) == is_said
    assert "used for the answer" not in page
    assert "its best guess stood here" in page
    assert "At 9." not in page


def test_accept_needs_an_answer(client: FlaskClient, project: Project) -> None:
    add_release(project)
    add_question(project, "Who cooks?")
    question, form = take(client, project)
    refused = decide(client, project, question, form, "accept")
    assert refused.status_code == 400
    assert "There is no answer to accept yet" in refused.text
    assert labels_of(project) == []


@pytest.mark.parametrize("decision", ["wrong_answer", "wrong_passage", "unanswerable"])
def test_nothing_is_rejected_before_an_answer_and_its_passages_were_shown(
    client: FlaskClient, project: Project, decision: str
) -> None:
    release, passages = add_release(project), add_passages(project, PATIO)
    add_question(project, "Who cooks?")
    question, form = take(client, project)
    add_answer(question, release, "A chef.", passages)  # it comes too late: this person saw nothing of it
    refused = decide(client, project, question, form, decision, text="My words.", reason="My reason.", headers=HTMX)
    assert refused.status_code == 400
    assert "There was neither an answer nor a passage to judge when this page was made" in refused.text
    assert "My words." in refused.text
    assert "My reason." in refused.text
    assert labels_of(project) == []
    assert decide(client, project, question, form_of(refused.text), decision).status_code == 303
    assert [label.reject_reason for label in labels_of(project)] == [decision]


@pytest.mark.parametrize(("decision", "text"), [("correct", "My mother cooks."), ("skip", "")])
def test_what_needs_no_passage_can_be_decided_before_the_model_answers(
    client: FlaskClient, project: Project, decision: str, text: str
) -> None:
    add_release(project)
    add_question(project, "Who cooks?")
    question, form = take(client, project)
    assert decide(client, project, question, form, decision, text=text).status_code == 303
    assert [(label.verdict, label.text, label.answer_id) for label in labels_of(project)] == [(decision, text, None)]


def test_a_page_without_an_answer_offers_only_what_can_be_decided(client: FlaskClient, project: Project) -> None:
    release, passages = add_release(project), add_passages(project, PATIO)
    question = add_question(project, "Who cooks?")
    page = next_page(client, project)
    assert _offered(page) == {"accept": False, "correct": True, "wrong_answer": False, "wrong_passage": False,
                              "unanswerable": False, "skip": True}  # fmt: skip
    assert "Until it is answered there is nothing to accept or to reject. You can write the answer or skip." in page
    assert "No passage is shown, so nothing is learned from these words" in page
    add_answer(question, release, "A chef.", passages)
    page = client.get(f"/p/{project.id}/annotate").text
    assert all(_offered(page).values())
    assert "Until it is answered" not in page


def test_an_answer_that_comes_is_asked_for_only_while_there_is_none(client: FlaskClient, project: Project) -> None:
    release, passages = add_release(project), add_passages(project, PATIO)
    question = add_question(project, "Who cooks?")
    page = next_page(client, project)
    address = f"/p/{project.id}/annotate/{question}/answer"
    assert f'hx-get="{address}" hx-trigger="every 3s"' in page
    waiting = client.get(address, headers=HTMX)
    assert (waiting.status_code, waiting.text) == (204, "")
    answer = add_answer(question, release, "A chef.", passages)
    come = client.get(address, headers=HTMX)
    assert come.status_code == 200
    assert "A chef." in come.text
    assert "<html" not in come.text
    assert "data-awaits" not in come.text
    form = form_of(come.text)
    assert (form["answer_id"], form["version"]) == (str(answer), form_of(page)["version"])
    assert decide(client, project, question, form, "accept").status_code == 303
    assert [(label.verdict, label.answer_id) for label in labels_of(project)] == [("accept", answer)]


def test_an_answer_that_comes_to_a_blind_question_stays_hidden(client: FlaskClient, project: Project) -> None:
    release, passages = add_release(project), add_passages(project, PATIO)
    set_project(project, blind=1)
    question = add_question(project, "Who cooks?")
    next_page(client, project)
    add_answer(question, release, "A chef.", passages)
    come = client.get(f"/p/{project.id}/annotate/{question}/answer", headers=HTMX).text
    assert "Your answer, without the model" in come
    assert "A chef." not in come
    assert form_of(come)["blind"]


def test_an_answer_is_awaited_of_this_projects_questions_by_those_signed_in(
    client: FlaskClient, anonymous: FlaskClient, project: Project
) -> None:
    question = add_question(project, "Who cooks?")
    assert client.get(f"/p/{project.id}/annotate/{question + 1}/answer").status_code == 404
    assert client.get(f"/p/{project.id + 1}/annotate/{question}/answer").status_code == 404
    assert anonymous.get(f"/p/{project.id}/annotate/{question}/answer", headers=HTMX).status_code == 401


def _offered(page: str) -> dict[str, bool]:
    """The decisions of a page and whether their buttons can be pressed."""
    buttons = re.findall(r'<button [^>]*name="decision" value="(\w+)"[^>]*>', page)
    disabled = re.findall(r'<button [^>]*name="decision" value="(\w+)"[^>]* disabled [^>]*>', page)
    return {name: name not in disabled for name in buttons}


@pytest.mark.parametrize(("text", "sentence"), [
    ("   ", "Write the right answer in words first; nothing was saved."),
    ("Yes, dogs are welcome at Kavo Bistro.", "change it, or press Accept"),
    ("x" * 20_001, "20,001 characters where at most 20,000 fit"),
])  # fmt: skip
def test_a_correction_that_does_not_fit_keeps_what_was_typed(
    client: FlaskClient, project: Project, text: str, sentence: str
) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    refused = decide(client, project, question, form, "correct", text=text, reason="My reason stays.", headers=HTMX)
    assert refused.status_code == 400
    assert sentence in refused.text.replace("&#39;", "'")
    assert "My reason stays." in refused.text
    assert text.strip() in refused.text
    assert labels_of(project) == []


@pytest.mark.parametrize(("model", "sentence", "fixed"), [
    ("reader", "this model only points at words, so it cannot learn them", "[]"),
    ("starter", "The model learns them, but will hardly say them while nearly all answers stand in a passage", '["Yes", "No"]'),
    ("none", "a model that only points at words cannot learn it", "[]"),
])  # fmt: skip
def test_what_becomes_of_words_that_stand_in_no_passage_depends_on_the_model(
    client: FlaskClient, project: Project, model: str, sentence: str, fixed: str
) -> None:
    add_queue(project, 1)
    with write() as rows:
        rows.execute(update(Release).values(answerer_path=str(SHIPPED / model)))
    take(client, project)
    page = client.get(f"/p/{project.id}/annotate").text
    assert sentence in page
    assert f"data-fixed='{fixed}'" in page


def test_a_model_that_writes_freely_learns_words_that_stand_nowhere(
    client: FlaskClient, project: Project, tmp_path: Path
) -> None:
    add_queue(project, 1)
    free = Path(shutil.copytree(SHIPPED / "starter", tmp_path / "free"))
    settings = json.loads((free / "answerer.json").read_text(encoding="utf-8"))
    (free / "answerer.json").write_text(json.dumps(settings | {"fixed_answers": None}), encoding="utf-8")
    with write() as rows:
        rows.execute(update(Release).values(answerer_path=str(free)))
    take(client, project)
    page = client.get(f"/p/{project.id}/annotate").text
    assert "The model learns them all the same." in page
    assert "hardly say them" not in page


@pytest.mark.parametrize("change", [
    {"decision": "delete"}, {"version": "x"}, {"passage": "999999"}, {"submission_id": ""}, {"answer_id": "99999"},
    {"passage": "1", "evidence_passage": "1", "start": "5", "end": "100000"}, {"passage": "-1"},
])  # fmt: skip
def test_a_form_that_is_none_of_ours_saves_nothing_and_says_so(
    client: FlaskClient, project: Project, change: dict[str, str]
) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    form = form | {"decision": "accept"} | change
    refused = client.post(f"/p/{project.id}/annotate/{question}", data=form)
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    assert labels_of(project) == []


def test_a_question_of_another_project_is_not_found(client: FlaskClient, project: Project) -> None:
    from webapp.db import write
    from webapp.projects.service import create_project

    add_queue(project, 1)
    question, form = take(client, project)
    with write() as rows:
        other = create_project(rows, "Other", embedder="hash")
    assert decide(client, other, question, form, "accept").status_code == 404
    assert client.get(f"/p/{other.id}/annotate/{question}").status_code == 404
    assert labels_of(project) == []


def test_one_request_saves_and_brings_the_next_question(client: FlaskClient, project: Project) -> None:
    _, second = add_queue(project, 2)
    question, form = take(client, project)
    page = decide(client, project, question, form, "accept", headers=HTMX)
    assert page.status_code == 200
    assert f'data-question="{second}"' in page.text
    assert "<html" not in page.text
    assert page.headers["HX-Replace-Url"] == f"/p/{project.id}/annotate"
    assert "HX-Request" in page.headers["Vary"]
    assert db.session.get_one(Question, second).lease_person_id is not None


def test_a_stranger_sees_and_decides_nothing(anonymous: FlaskClient, client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    assert anonymous.get(f"/p/{project.id}/annotate").status_code == 401
    assert decide(anonymous, project, question, form, "accept").status_code in (401, 403)
    assert labels_of(project) == []


def test_deciding_takes_only_post(client: FlaskClient, project: Project) -> None:
    assert client.get(f"/p/{project.id}/annotate/next").status_code == 405
    assert client.get(f"/p/{project.id}/annotate/undo").status_code == 405


def test_an_answer_of_an_older_release_is_marked(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    take(client, project)
    assert "older answer" not in client.get(f"/p/{project.id}/annotate").text
    newer = add_release(project)
    assert isinstance(newer, Release)
    assert "Release 2 is in service now" in client.get(f"/p/{project.id}/annotate").text


def test_passages_come_in_rank_order_with_scores_terms_and_evidence(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    take(client, project)
    page = client.get(f"/p/{project.id}/annotate").text
    assert page.index("They turned us away") < page.index("has a large car park")
    assert "<mark>They turned us away because of the </mark><mark><u>dog</u></mark>" in page
    assert "0.83 · used for the answer" in page
    assert "<u>Kavo</u> Bistro has a large" in page


def test_the_progress_counts_labelled_questions_and_the_next_iteration_changed_labels(
    client: FlaskClient, project: Project
) -> None:
    add_queue(project, 3)
    for decision in ("accept", "skip"):
        question, form = take(client, project)
        decide(client, project, question, form, decision)
    page = next_page(client, project)
    assert "1 of 3 questions labelled" in page
    assert "1 of 50 new or changed labels" in page


def test_empty_states_say_what_to_do_next(client: FlaskClient, project: Project) -> None:
    address = f"/p/{project.id}/annotate"
    assert "Add documents" in client.get(address).text
    passages = add_passages(project, PATIO)
    assert "The index is not built yet" in client.get(address).text
    release = add_release(project)
    assert "No questions yet" in client.get(address).text
    add_answer(add_question(project, "Dogs?"), release, "No", passages)
    assert "Next question" in client.get(address).text
    question, form = take(client, project)
    decide(client, project, question, form, "accept")
    assert "All done for now" in client.get(address).text


def test_text_from_people_and_files_is_only_text(client: FlaskClient, project: Project) -> None:
    bad = "<img src=x onerror=alert(1)>"
    release = add_release(project)
    passages = add_passages(project, f"{bad} {PARKING}", title=bad)
    add_answer(add_question(project, bad), release, bad, passages, start=0, end=len(bad))
    question, form = take(client, project)
    pages = [client.get(f"/p/{project.id}/annotate").text]
    decide(client, project, question, form, "correct", text=f"{bad} {bad}", reason=bad)
    label = labels_of(project)[0]
    pages += [client.get(address).text for address in (
        f"/p/{project.id}/labels", f"/p/{project.id}/labels/{label.id}", f"/p/{project.id}/annotate/{question}")]  # fmt: skip
    for page in pages:
        assert "<img" not in page
        assert "&lt;img" in page


def test_a_cut_passage_reads_as_before_and_counts_code_points() -> None:
    text = "Zoë 😀 says: the dog, the DOG and a dogma."
    pieces = cut(text, evidence=(4, 10), terms=("dog", "zoë"))
    assert "".join(piece.text for piece in pieces) == text
    assert "".join(piece.text for piece in pieces if piece.is_evidence) == "😀 says"
    assert [piece.text for piece in pieces if piece.is_term] == ["Zoë", "dog", "DOG"]


def test_a_difference_reads_as_the_new_text_without_what_is_gone() -> None:
    changes = word_changes("Yes, dogs are welcome at Kavo Bistro.", "No, Kavo Bistro does not allow dogs.")
    assert "".join(change.text for change in changes if change.kind != "gone") == "No, Kavo Bistro does not allow dogs."
    assert [(change.kind, change.text.strip()) for change in changes][:3] == [
        ("gone", "Yes"),
        ("new", "No"),
        ("same", ","),
    ]


@pytest.mark.parametrize(
    ("old", "new", "distance"), [("kitten", "sitting", 3), ("", "abc", 3), ("same", "same", 0), ("ab", "ba", 2)]
)
def test_the_edit_distance_is_levenshteins(old: str, new: str, distance: int) -> None:
    assert edit_distance(old, new) == distance


def test_a_question_without_an_answer_shows_how_far_the_answers_are(client: FlaskClient, project: Project) -> None:
    add_release(project)
    question = add_question(project, "Is there a garden?")
    address = f"/p/{project.id}/annotate/{question}"
    assert "Preparing answers" not in client.get(address).text
    with write() as session:
        job = enqueue(session, "predict", project_id=project.id, payload={})
    with write() as session:
        session.execute(update(Job).values(state="running", fraction=0.25, message="70 answered, 210 to go"))
    page = client.get(address).text
    assert "Preparing answers" in page
    assert "70 answered, 210 to go · 25 %" in page
    assert f'hx-get="/jobs/{job.id}"' in page
