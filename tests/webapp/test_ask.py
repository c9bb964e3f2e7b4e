"""A typed question: kept whatever happens, answered live when the engine is there; the queue answered ahead by the worker."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from serving_kit import add_candidate, build_served
from sqlalchemy import func, select, update

from tests.webapp import toy_loop
from tests.webapp.queue_rows import add_question, person_named, set_project
from webapp.db import write
from webapp.engine import client as engine_client
from webapp.jobs.run import execute, run_here
from webapp.jobs.service import claim, enqueue, job_or_404
from webapp.models import Answer, AnswerPassage, Project, Question, Release, db, now
from webapp.releases.service import promote


def ask(client: FlaskClient, project: Project, text: str) -> str:
    response = client.post(f"/p/{project.id}/ask", data={"question": text})
    assert response.status_code == 303, response.text
    page: str = client.get(response.headers["Location"]).text
    return page


def test_a_typed_question_is_answered_live_and_its_path_is_stored(
    client: FlaskClient, tmp_path: Path, engine: None
) -> None:
    project = build_served(tmp_path)
    page = ask(client, project, "When does Chez Bella open?")
    assert "When does Chez Bella open?" in page
    assert "Release 1 says" in page
    question = db.session.scalars(select(Question)).one()
    answer = db.session.get_one(Answer, question.answer_id)
    assert (question.source, question.lease_person_id) == ("typed", person_named("Ada").id)
    assert (answer.release_id, answer.prompt_version) == (project.champion_id, "qa-1")
    ranks = list(
        db.session.scalars(
            select(AnswerPassage.rank).where(AnswerPassage.answer_id == answer.id).order_by(AnswerPassage.rank)
        )
    )
    assert ranks == list(range(1, len(ranks) + 1)) != []


def test_a_label_that_lands_while_the_engine_answers_is_not_taken_for_known(
    client: FlaskClient, tmp_path: Path, engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = build_served(tmp_path)
    other = add_question(project, "When does Kavo Bistro open?")
    asked = engine_client.ask

    def ask_and_label(*arguments: Any, **options: Any) -> Any:
        answer = asked(*arguments, **options)
        # after the engine looked at the labels, before its answer is stored
        toy_loop.label(db.session.get_one(Question, other), person_named("Ada"), "skip")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(engine_client, "ask", ask_and_label)
        ask(client, project, "When does Chez Bella open?")
    answered = select(func.count(Answer.id))
    assert db.session.scalar(answered) == 1
    ask(client, project, "When does Chez Bella open?")
    assert db.session.scalar(answered) == 2
    ask(client, project, "When does Chez Bella open?")
    assert db.session.scalar(answered) == 2


def test_without_the_engine_the_question_is_kept_and_the_page_names_the_command(
    client: FlaskClient, project: Project
) -> None:
    page = ask(client, project, "When does Chez Bella open?")
    assert "When does Chez Bella open?" in page
    assert "The question is kept" in page
    assert "<code>errata engine</code>" in page
    assert db.session.scalars(select(Question.text)).all() == ["When does Chez Bella open?"]


def test_a_question_too_long_gives_a_sentence_and_keeps_the_text(client: FlaskClient, project: Project) -> None:
    text = "why " * 5_000
    for headers in ({}, {"HX-Request": "true"}):
        refused = client.post(f"/p/{project.id}/ask", data={"question": text}, headers=headers)
        assert refused.status_code == 400
        assert "at most 10,000 fit" in refused.text
        assert text.strip() in refused.text
    assert db.session.scalar(select(func.count(Question.id))) == 0


def test_an_empty_question_gives_a_sentence(client: FlaskClient, project: Project) -> None:
    refused = client.post(f"/p/{project.id}/ask", data={"question": "  "})
    assert refused.status_code == 400
    assert "The question is empty" in refused.text


def test_asking_the_same_again_takes_the_same_question_up(client: FlaskClient, project: Project) -> None:
    ask(client, project, "When does Chez Bella open?")
    ask(client, project, "When does Chez Bella open?")
    assert db.session.scalar(select(func.count(Question.id))) == 1


def test_strangers_ask_nothing_and_asking_is_a_post(
    anonymous: FlaskClient, client: FlaskClient, project: Project
) -> None:
    assert anonymous.get(f"/p/{project.id}/ask").status_code == 401
    assert client.get(f"/p/{project.id}/ask").status_code == 200
    assert client.post("/p/999/ask", data={"question": "Where?"}).status_code == 404


def predict(project: Project) -> dict[str, object]:
    with write() as session:
        job = enqueue(session, "predict", project_id=project.id, payload={})
    assert run_here(job.id)
    db.session.rollback()
    db.session.expire_all()
    done = job_or_404(job.id)
    return done.result if done.state == "succeeded" else {"error": done.error}


def answering_releases(project: Project) -> dict[str, int | None]:
    query = select(Question.text, Release.number).outerjoin(Answer, Answer.id == Question.answer_id)
    rows = db.session.execute(
        query.outerjoin(Release, Release.id == Answer.release_id).where(Question.project_id == project.id)
    )
    return {text: number for text, number in rows}


def test_the_worker_answers_the_open_queue_ahead_with_the_champion(app: Flask, tmp_path: Path) -> None:
    project = build_served(tmp_path)
    set_project(project, passages_shown=2)
    for number in range(20):
        add_question(project, f"What about {number}?")
    add_question(project, "Done already?", state="done")
    assert predict(project) == {"answered": 20, "ordered": 20, "release": 1}
    found = answering_releases(project)
    assert found.pop("Done already?") is None
    assert set(found.values()) == {1}
    assert db.session.scalar(select(func.max(AnswerPassage.rank))) == 2
    assert predict(project)["answered"] == 0


def test_answering_ahead_lets_an_export_go_first_after_the_first_few(app: Flask, tmp_path: Path) -> None:
    project = build_served(tmp_path)
    for number in range(20):
        add_question(project, f"What about {number}?")
    with write() as session:
        job = enqueue(session, "predict", project_id=project.id, payload={}, priority=20)
        enqueue(session, "export", project_id=project.id, payload={}, priority=5)
    with write() as session:
        token = str(claim(session, job_id=job.id).lease_token)
    assert execute(job.id, token, has_worker=True)
    db.session.rollback()
    assert job_or_404(job.id).state == "queued"
    assert sum(number is not None for number in answering_releases(project).values()) == 16
    assert run_here(job.id)  # no worker: nobody else would do the export
    db.session.rollback()
    assert (job_or_404(job.id).state, job_or_404(job.id).result["answered"]) == ("succeeded", 4)


def test_after_a_promotion_stale_answers_are_made_anew_but_not_under_somebodys_eyes(
    app: Flask, tmp_path: Path, client: FlaskClient
) -> None:
    project = build_served(tmp_path)
    for number in range(3):
        add_question(project, f"What about {number}?")
    predict(project)
    with write() as session:
        held = update(Question).where(Question.text == "What about 0?")
        later = {
            "lease_person_id": person_named("Ada").id,
            "lease_token": "x",
            "lease_expires_at": now().replace(year=2100),
        }
        session.execute(held.values(later))
    candidate = add_candidate(project, number=2)
    with write() as session:
        promote(
            session, session.get_one(Project, project.id), session.get_one(Release, candidate.id), reason="for a test"
        )
    assert predict(project)["answered"] == 2
    assert answering_releases(project) == {"What about 0?": 1, "What about 1?": 2, "What about 2?": 2}


def test_a_project_without_a_release_says_so(app: Flask, project: Project) -> None:
    assert "has no release yet" in str(predict(project)["error"])
