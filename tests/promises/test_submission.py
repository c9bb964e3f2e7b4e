"""The submission promise: exactly once, nothing overwritten, every change a new row, "Saved" only when it is on disk."""

import threading
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.webapp.queue_rows import add_queue, decide, form_of, labels_of, take
from webapp.models import Label, Project, Question, db

WORDS = "No, Kavo Bistro does not allow dogs."


def test_the_same_form_sent_twice_is_one_label(client: FlaskClient, project: Project) -> None:
    add_queue(project, 3)
    question, form = take(client, project)
    first = decide(client, project, question, form, "correct", text=WORDS)
    again = decide(client, project, question, form, "correct", text=WORDS)
    assert (first.status_code, again.status_code) == (303, 303)
    assert again.headers["Location"] == first.headers["Location"]
    assert [label.text for label in labels_of(project)] == [WORDS]


def test_many_threads_sending_one_form_make_one_label(app: Flask, client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    cookies = [(cookie.key, cookie.value) for cookie in client._cookies.values()]
    statuses: list[int] = []
    address = f"/p/{project.id}/annotate/{question}"

    def send() -> None:
        mine = app.test_client()
        for key, value in cookies:
            mine.set_cookie(key, value)
        with app.app_context():
            statuses.append(mine.post(address, data={**form, "decision": "accept"}).status_code)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [303] * 8
    assert len(labels_of(project)) == 1


def test_a_form_that_went_stale_overwrites_nothing_and_shows_both_texts(client: FlaskClient, project: Project) -> None:
    add_queue(project, 2)
    question, old_form = take(client, project)
    decide(client, project, question, old_form, "correct", text="Dogs must stay outside.")
    stale = decide(client, project, question, {**old_form, "submission_id": "another-tab-00001"}, "correct", text=WORDS)
    assert stale.status_code == 409
    assert "Dogs must stay outside." in stale.text
    assert WORDS in stale.text
    assert [label.text for label in labels_of(project)] == ["Dogs must stay outside."]


def test_going_back_and_sending_other_words_with_the_same_form_is_stale_not_saved(
    client: FlaskClient, project: Project
) -> None:
    add_queue(project, 2)
    question, form = take(client, project)
    decide(client, project, question, form, "accept")
    changed = decide(client, project, question, form, "correct", text=WORDS)
    assert changed.status_code == 409
    assert [label.verdict for label in labels_of(project)] == ["accept"]


def test_the_page_of_a_stale_form_can_replace_the_saved_decision(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    decide(client, project, question, form, "accept")
    stale = decide(
        client, project, question, {**form, "submission_id": "another-tab-00001"}, "correct", text=WORDS
    ).text
    fresh = {**form, **_stale_form(stale)}
    assert decide(client, project, question, fresh, "correct", text=WORDS).status_code == 303
    old, new = labels_of(project)
    assert (old.verdict, new.verdict, new.supersedes_id, new.version) == ("accept", "correct", old.id, 2)


def _stale_form(page: str) -> dict[str, str]:
    import re

    part = page[page.index("data-stale") :]
    return {name: re.search(rf'name="{name}" value="([^"]*)"', part).group(1) for name in ("submission_id", "version")}  # type: ignore[union-attr]


def test_an_edit_is_a_new_row_and_the_old_one_stays(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    decide(client, project, question, form, "accept")
    reopened = form_of(client.get(f"/p/{project.id}/annotate/{question}").text)
    assert reopened["version"] == "1"
    decide(client, project, question, reopened, "wrong_passage")
    old, new = labels_of(project)
    assert (old.verdict, old.supersedes_id) == ("accept", None)
    assert (new.verdict, new.reject_reason, new.supersedes_id) == ("reject", "wrong_passage", old.id)


def test_an_undo_is_a_new_row_and_opens_the_question_again(client: FlaskClient, project: Project) -> None:
    add_queue(project, 2)
    question, form = take(client, project)
    decide(client, project, question, form, "accept")
    assert db.session.get_one(Question, question).state == "done"
    label = labels_of(project)[0]
    undo = {"label": label.id, "submission_id": "undo-000000001"}
    assert client.post(f"/p/{project.id}/annotate/undo", data=undo).status_code == 303
    assert client.post(f"/p/{project.id}/annotate/undo", data=undo).status_code == 303
    old, new = labels_of(project)
    row = db.session.get_one(Question, question)
    assert (old.verdict, new.verdict, new.supersedes_id) == ("accept", "undo", old.id)
    assert (row.state, row.label_count, row.lease_person_id) == ("open", 0, old.person_id)


def test_the_last_ten_can_be_undone_one_after_another_and_no_more_than_that_far_back(
    client: FlaskClient, project: Project
) -> None:
    add_queue(project, 11)
    for _ in range(11):
        question, form = take(client, project)
        decide(client, project, question, form, "accept")
    labels = labels_of(project)
    too_old = client.post(
        f"/p/{project.id}/annotate/undo", data={"label": labels[0].id, "submission_id": "undo-too-old"}
    )
    assert too_old.status_code == 400
    for label in labels[:0:-1]:
        undone = client.post(
            f"/p/{project.id}/annotate/undo", data={"label": label.id, "submission_id": f"undo-{label.id:08}"}
        )
        assert undone.status_code == 303
    assert sum(label.verdict == "undo" for label in labels_of(project)) == 10


def test_nobody_undoes_what_somebody_else_decided(
    client: FlaskClient, annotator: FlaskClient, project: Project
) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    decide(client, project, question, form, "accept")
    undo = {"label": labels_of(project)[0].id, "submission_id": "undo-000000001"}
    assert annotator.post(f"/p/{project.id}/annotate/undo", data=undo).status_code == 403
    assert len(labels_of(project)) == 1


def test_a_page_opened_by_somebody_else_saves_nothing_under_my_name(
    client: FlaskClient, annotator: FlaskClient, project: Project
) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    assert decide(annotator, project, question, form, "accept").status_code == 403
    assert labels_of(project) == []


def test_saved_is_said_only_after_the_row_is_on_disk(
    app: Flask, client: FlaskClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_queue(project, 2)
    question, form = take(client, project)

    def refuse(*_: Any) -> None:
        raise RuntimeError("the process was killed here")

    with db.engine.connect() as other:
        monkeypatch.setattr("webapp.ask.queue.take_next", refuse)
        with pytest.raises(RuntimeError, match="killed here"):
            decide(client, project, question, form, "accept", headers={"HX-Request": "true"})
        assert other.execute(text("select count(*) from label")).scalar() == 0
        other.rollback()
        monkeypatch.undo()
        answer = decide(client, project, question, form, "accept", headers={"HX-Request": "true"})
        assert "Saved: accepted" in answer.text
        assert other.execute(text("select count(*) from label")).scalar() == 1


def test_two_first_labels_of_one_person_collide_in_the_database_itself(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    decide(client, project, question, form, "accept")
    label = labels_of(project)[0]
    from sqlalchemy.exc import IntegrityError

    from webapp.db import write

    with pytest.raises(IntegrityError), write() as session:
        session.add(
            Label(
                project_id=project.id,
                question_id=question,
                person_id=label.person_id,
                submission_id="by-hand-0001",
                verdict="skip",
            )
        )
