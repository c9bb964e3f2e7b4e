"""The list of labels, one label with its trace, and the ask page."""

import html

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from tests.webapp.queue_rows import add_answer, add_queue, add_release, decide, form_of, labels_of, person_named, take
from webapp.db import write
from webapp.models import Answer, Dataset, DatasetLabel, Label, Passage, Project, db


def label_all(client: FlaskClient, project: Project, *decisions: str) -> None:
    add_queue(project, len(decisions))
    for decision in decisions:
        question, form = take(client, project)
        text = f"Right answer of {decision} {question}" if decision == "correct" else ""
        decide(client, project, question, form, decision, text=text)


def test_no_labels_says_where_to_begin(client: FlaskClient, project: Project) -> None:
    assert "Start labelling" in client.get(f"/p/{project.id}/labels").text


def test_the_list_filters_by_decision_person_text_and_release(
    client: FlaskClient, annotator: FlaskClient, project: Project
) -> None:
    label_all(client, project, "accept", "correct", "wrong_passage")
    address = f"/p/{project.id}/labels"
    assert client.get(address).text.count("/labels/") == 3
    assert client.get(f"{address}?decision=wrong_passage").text.count("/labels/") == 1
    assert "Right answer of correct" in client.get(f"{address}?q=RIGHT+answer").text
    assert client.get(f"{address}?q=RIGHT+answer").text.count("/labels/") == 1
    assert client.get(f"{address}?release=1").text.count("/labels/") == 3
    assert "No label fits" in client.get(f"{address}?q=nobody+wrote+this").text
    for person in (person_named("Ada").id, "Ada"):
        page = client.get(f"{address}?person={person}").text
        assert page.count("/labels/") == 3
        assert " selected>Ada</option>" in page
    assert client.get(f"{address}?person=Ada&decision=accept").text.count("/labels/") == 1
    assert client.get(f"{address}?decision=&person=&q=&release=&history=&sort=password").text.count("/labels/") == 3


@pytest.mark.parametrize(("query", "sentence"), [
    ("decision=%27%3B--", "There is no decision “';--”; expected one of accept, correct, wrong_answer, wrong_passage, unanswerable, skip."),
    ("person=Zed", "Nobody called “Zed” has labelled here; expected one of the people in the list under Person."),
    ("person=Ben", "Nobody called “Ben” has labelled here"),
    ("person=999", "Nobody called “999” has labelled here"),
    ("release=7", "This project has no release “7”; expected a number from the list under “Answer of”."),
    ("release=champion", "This project has no release “champion”"),
    ("release=99999999999999999999", "This project has no release “99999999999999999999”"),
    ("history=yes", "The history can be “all” for every version, or left out for what counts now; “yes” came."),
    (f"q={'a' * 201}", "A search takes at most 200 characters; 201 came."),
    ("before=x", "The list goes on before a label, whose number was expected; “x” came."),
    ("after=99999999999999999999", "The list goes on after a label, whose number was expected"),
])  # fmt: skip
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_filter_that_is_not_understood_is_told_and_lists_nothing(
    client: FlaskClient, annotator: FlaskClient, project: Project, query: str, sentence: str, headers: dict[str, str]
) -> None:
    label_all(client, project, "accept")
    page = client.get(f"/p/{project.id}/labels?{query}", headers=headers)
    assert page.status_code == 400
    assert sentence in html.unescape(page.text)
    assert "/labels/" not in page.text
    assert "show all labels" in page.text
    assert ("<html" in page.text) is not bool(headers)


def test_the_list_says_not_answerable_where_that_is_the_right_answer(client: FlaskClient, project: Project) -> None:
    label_all(client, project, "accept", "unanswerable")
    address = f"/p/{project.id}/labels"
    words = 'data-name="Right answer"><span class="meta">not answerable</span>'
    assert words not in client.get(f"{address}?decision=accept").text
    assert words in client.get(f"{address}?decision=unanswerable").text
    with write() as session:
        session.execute(update(Answer).values(text="", answerable=False))
    assert words in client.get(f"{address}?decision=accept").text


def test_the_list_shows_what_counts_now_or_every_version(client: FlaskClient, project: Project) -> None:
    label_all(client, project, "accept")
    question = labels_of(project)[0].question_id
    form = form_of(client.get(f"/p/{project.id}/annotate/{question}").text)
    decide(client, project, question, form, "unanswerable")
    address = f"/p/{project.id}/labels"
    assert client.get(address).text.count("/labels/") == 1
    everything = client.get(f"{address}?history=all").text
    assert everything.count("/labels/") == 2
    assert "replaced" in everything


def test_pages_of_the_list_lead_on_and_back(client: FlaskClient, project: Project) -> None:
    questions = add_queue(project, 120)
    ada = person_named("Ada").id
    with write() as session:
        session.execute(insert(Label), [
            {"project_id": project.id, "question_id": question, "person_id": ada, "submission_id": f"row-{question:08}", "verdict": "accept"}
            for question in questions
        ])  # fmt: skip
    seen: list[str] = []
    address: str | None = f"/p/{project.id}/labels"
    while address:
        page = client.get(address).text
        seen += [part.split('"')[0] for part in page.split(f"/p/{project.id}/labels/")[1:]]
        address = (
            page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&") if 'rel="next"' in page else None
        )
    assert len(seen) == len(set(seen)) == 120
    back = page.split('rel="prev" href="')[1].split('"')[0].replace("&amp;", "&")
    assert client.get(back).text.count(f"/p/{project.id}/labels/") == 50


def test_a_label_traces_back_to_what_the_model_had_shown_and_on_to_what_learned_from_it(
    client: FlaskClient, project: Project
) -> None:
    label_all(client, project, "correct")
    label = labels_of(project)[0]
    with write() as session:
        dataset = Dataset(project_id=project.id, path="none", fingerprint="0" * 64)
        session.add(dataset)
        session.flush()
        session.add(DatasetLabel(dataset_id=dataset.id, label_id=label.id, split="train", kind="correct"))
    page = client.get(f"/p/{project.id}/labels/{label.id}").text
    assert "· used for the answer" in page
    assert "Release 1 had said" in page
    assert "prompt qa-1" in page
    assert "They turned us away" in page
    assert "<del>" in page
    assert "Right answer of correct" in page
    assert "training, as correction" in page
    assert "Change it" in page
    with write() as session:
        session.get_one(Answer, label.answer_id).answerable = False
    page = client.get(f"/p/{project.id}/labels/{label.id}").text
    assert "its best guess stood here" in page
    assert "used for the answer" not in page


def test_a_replaced_version_says_so_and_names_the_version_that_was_used(client: FlaskClient, project: Project) -> None:
    label_all(client, project, "correct")
    first = labels_of(project)[0]
    form = form_of(client.get(f"/p/{project.id}/annotate/{first.question_id}").text)
    decide(client, project, first.question_id, form, "accept")
    second = labels_of(project)[-1]
    assert second.supersedes_id == first.id
    page = client.get(f"/p/{project.id}/labels/{first.id}").text
    assert "It no longer counts:" in page
    assert "Nothing: it was replaced before an iteration took it." in page
    assert "It no longer counts:" not in client.get(f"/p/{project.id}/labels/{second.id}").text
    with write() as session:
        dataset = Dataset(project_id=project.id, path="none", fingerprint="0" * 64)
        session.add(dataset)
        session.flush()
        session.add(DatasetLabel(dataset_id=dataset.id, label_id=second.id, split="test", kind="accept"))
    assert "version 2, test questions, as accepted answer" in client.get(f"/p/{project.id}/labels/{first.id}").text
    assert "version 2, test" not in client.get(f"/p/{project.id}/labels/{second.id}").text


def test_other_peoples_labels_are_shown_as_theirs(
    client: FlaskClient, annotator: FlaskClient, project: Project
) -> None:
    label_all(client, project, "accept")
    label = labels_of(project)[0]
    assert "Give a second opinion" in annotator.get(f"/p/{project.id}/labels/{label.id}").text


@pytest.mark.parametrize("address", ["labels/999", "annotate/999"])
def test_what_is_not_there_is_not_found(client: FlaskClient, project: Project, address: str) -> None:
    assert client.get(f"/p/{project.id}/{address}").status_code == 404


def test_strangers_see_no_labels(anonymous: FlaskClient, project: Project) -> None:
    assert anonymous.get(f"/p/{project.id}/labels").status_code == 401


def test_a_label_of_another_project_is_not_found(client: FlaskClient, project: Project) -> None:
    from webapp.projects.service import create_project

    label_all(client, project, "accept")
    label = labels_of(project)[0].id
    with write() as rows:
        other = create_project(rows, "Other", embedder="hash")
    db.session.rollback()
    assert client.get(f"/p/{other.id}/labels/{label}").status_code == 404


def test_a_question_asked_again_after_its_decision_shows_what_is_answered_now(
    client: FlaskClient, project: Project
) -> None:
    [question_id] = add_queue(project, 1)
    _, form = take(client, project)
    assert decide(client, project, question_id, form, "correct", text="No.").status_code == 303
    passages = list(db.session.scalars(select(Passage.id).where(Passage.project_id == project.id)))
    add_answer(question_id, add_release(project), "No dogs.", passages)
    page = client.get(f"/p/{project.id}/annotate/{question_id}").text
    assert "Release 2 says" in page
    assert 'id="shown-answer">No dogs.<' in page
    assert "you decided this one before" in page
    assert ">No.</textarea>" in page
