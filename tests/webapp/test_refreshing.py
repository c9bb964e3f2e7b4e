"""A label that says something of passages has the stored answers of like questions in the queue made anew, soon and once."""

import datetime as dt
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from serving_kit import build_served
from sqlalchemy import select, update

from tests.webapp.queue_rows import add_question, decide, form_of, labels_of, person_named, set_project
from webapp.ask import refreshing
from webapp.db import write
from webapp.errors import DiskFull
from webapp.jobs.context import JobContext
from webapp.jobs.run import run_here
from webapp.jobs.service import job_or_404
from webapp.models import Answer, AnswerPassage, Job, Label, Project, Question, db, now
from webapp.releases.by_hand import request_answers

ASKED = "Where can guests of the place leave the car?"
LIKE = "Where can the guests of the place leave their car?"
OPEN_ELSEWHERE = "Where can all the guests of the place leave the car?"
FAR = "Does Bar Caro serve soup?"


@pytest.fixture
def answered(client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Project, dict[str, int]]:
    """A queue that the model in service has answered; a job that was asked for ends as soon as it has nothing to do."""
    monkeypatch.setattr(refreshing, "STAYS_S", 0.0)
    project = build_served(tmp_path)
    set_project(project, blind=0)
    questions = {text: add_question(project, text) for text in (ASKED, LIKE, OPEN_ELSEWHERE, FAR)}
    [job] = queued(project)  # the new release asked for it
    assert run_here(job)
    db.session.expire_all()
    return project, questions


def answer_of(question: int) -> int:
    db.session.rollback()
    found = db.session.scalar(select(Question.answer_id).where(Question.id == question))
    assert found is not None
    return found


def first_passage(answer: int) -> tuple[int, int | None]:
    query = select(AnswerPassage.passage_id, AnswerPassage.lift_label_id)
    passage, label = db.session.execute(query.where(AnswerPassage.answer_id == answer, AnswerPassage.rank == 1)).one()
    return passage, label


def label_last_as_right(client: FlaskClient, project: Project, question: int, decision: str = "correct") -> int:
    """Decide that the passage ranked last is the right one."""
    ranked = select(AnswerPassage.passage_id).where(AnswerPassage.answer_id == answer_of(question))
    right = db.session.scalars(ranked.order_by(AnswerPassage.rank.desc())).first()
    form = form_of(client.get(f"/p/{project.id}/annotate/{question}").text)
    decided = decide(client, project, question, form, decision, text="nine", passage=right)
    assert decided.status_code == 303, decided.text
    assert right is not None
    return right


def queued(project: Project) -> list[int]:
    db.session.rollback()
    query = select(Job.id).where(Job.project_id == project.id, Job.state == "queued", Job.kind == "predict")
    return list(db.session.scalars(query))


def lease(question: int) -> None:
    """Somebody looks at it now."""
    with write() as session:
        row = session.get_one(Question, question)
        row.lease_person_id, row.lease_expires_at = person_named("Ada").id, now() + dt.timedelta(hours=1)


def test_like_questions_in_the_queue_are_answered_again_but_none_that_somebody_looks_at(
    client: FlaskClient, answered: tuple[Project, dict[str, int]]
) -> None:
    project, questions = answered
    before = {text: answer_of(question) for text, question in questions.items()}
    lease(questions[OPEN_ELSEWHERE])
    right = label_last_as_right(client, project, questions[ASKED])
    [job] = queued(project)
    unanswered = add_question(project, "Is there a cloakroom?")
    assert "Preparing answers" not in client.get(f"/p/{project.id}/annotate/{unanswered}").text  # not by this job
    assert answer_of(questions[LIKE]) == before[LIKE]  # no model ran in the web process
    assert run_here(job)
    assert job_or_404(job).result == {"answered": 1, "release": 1}
    assert first_passage(answer_of(questions[LIKE])) == (right, labels_of(project)[0].id)
    assert {text for text, question in questions.items() if answer_of(question) != before[text]} == {LIKE}
    made = db.session.get_one(Answer, answer_of(questions[LIKE]))
    form = form_of(client.get(f"/p/{project.id}/annotate/{questions[OPEN_ELSEWHERE]}").text)
    assert form["answer_id"] == str(before[OPEN_ELSEWHERE]) != str(made.id)


def test_one_job_is_asked_for_and_none_by_what_says_nothing_of_passages(
    client: FlaskClient, answered: tuple[Project, dict[str, int]]
) -> None:
    project, questions = answered
    for text, decision in ((FAR, "skip"), (LIKE, "wrong_answer")):
        form = form_of(client.get(f"/p/{project.id}/annotate/{questions[text]}").text)
        assert decide(client, project, questions[text], form, decision).status_code == 303
    assert queued(project) == []
    label_last_as_right(client, project, questions[ASKED])
    label_last_as_right(client, project, questions[OPEN_ELSEWHERE])
    [job] = queued(project)
    with write() as session:
        request_answers(session, session.get_one(Project, project.id))
    assert len(queued(project)) == 2  # new questions need a job of their own
    assert run_here(job)
    label = labels_of(project)[-1].id
    undone = client.post(f"/p/{project.id}/annotate/undo", data={"label": label, "submission_id": "take-it-back"})
    assert undone.status_code == 303
    assert len(queued(project)) == 2


def test_a_label_that_comes_while_the_job_is_at_work_is_seen_by_it(
    client: FlaskClient, answered: tuple[Project, dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, questions = answered
    label_last_as_right(client, project, questions[FAR])
    [job] = queued(project)
    kept, rights = refreshing._let_go, list[int]()

    def label_first(context: JobContext, seen: int) -> bool:
        if not rights:
            rights.append(label_last_as_right(client, project, questions[ASKED]))
            assert queued(project) == []
        return kept(context, seen)

    monkeypatch.setattr(refreshing, "_let_go", label_first)
    assert run_here(job)
    assert first_passage(answer_of(questions[LIKE])) == (rights[0], labels_of(project)[-1].id)


@pytest.mark.parametrize(("seconds", "again"), [(0.02, True), (60.0, False)])
def test_an_answer_sought_while_a_label_was_being_written_is_made_anew(
    client: FlaskClient, answered: tuple[Project, dict[str, int]], seconds: float, again: bool
) -> None:
    """A label is seen when its transaction ends, which is after the time it bears."""
    project, questions = answered
    label_last_as_right(client, project, questions[ASKED])
    before = answer_of(questions[LIKE])
    sought = db.session.get_one(Answer, before).created_at
    with write() as session:
        session.execute(update(Label).values(created_at=sought - dt.timedelta(seconds=seconds)))
    [job] = queued(project)
    assert run_here(job)
    assert (answer_of(questions[LIKE]) != before) == again


def test_a_label_that_is_stored_is_told_as_stored_when_nothing_more_can_be_written(
    client: FlaskClient, answered: tuple[Project, dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise DiskFull("The disk is full.")

    monkeypatch.setattr(refreshing, "enqueue", refuse)
    project, questions = answered
    label_last_as_right(client, project, questions[ASKED])
    assert len(labels_of(project)) == 1
    assert queued(project) == []
