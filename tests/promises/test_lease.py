"""The lease promise: two people never hold one question unless overlap asks for it; a late decision is kept, never dropped."""

import datetime as dt
import threading
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select, update

from tests.webapp.queue_rows import add_queue, decide, labels_of, next_page, person_named, set_project, take
from webapp.ask import queue
from webapp.db import write
from webapp.models import Person, Project, Question, db, now
from webapp.people import service as people


def expire_leases() -> None:
    with write() as session:
        session.execute(update(Question).values(lease_expires_at=now() - dt.timedelta(seconds=1)))


def test_two_people_get_different_questions(client: FlaskClient, annotator: FlaskClient, project: Project) -> None:
    add_queue(project, 2)
    assert take(client, project)[0] != take(annotator, project)[0]


def test_the_last_question_is_not_given_twice(client: FlaskClient, annotator: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    take(client, project)
    assert "All done for now" in next_page(annotator, project)


def test_the_question_of_another_is_not_leased_by_its_number(
    client: FlaskClient, annotator: FlaskClient, project: Project
) -> None:
    add_queue(project, 1)
    question, _ = take(client, project)
    row = db.session.get_one(Question, question)
    with write() as session:
        assert not queue.lease_question(session, row, person_named("Ben"))
        assert queue.lease_question(session, row, person_named("Ada"))  # one's own is renewed
    expire_leases()
    with write() as session:
        assert queue.lease_question(session, row, person_named("Ben"))


def test_asking_again_gives_the_question_one_holds(client: FlaskClient, project: Project) -> None:
    add_queue(project, 2)
    assert take(client, project)[0] == take(client, project)[0]


def test_looking_at_the_page_takes_nothing(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    assert "Next question" in client.get(f"/p/{project.id}/annotate").text
    assert db.session.scalar(select(Question.lease_person_id)) is None


def test_the_front_of_the_queue_goes_first(client: FlaskClient, project: Project) -> None:
    questions = add_queue(project, 3)
    with write() as session:
        session.execute(update(Question).where(Question.id == questions[2]).values(priority=-1.0))
    assert take(client, project)[0] == questions[2]


def test_thirty_two_people_at_once_get_thirty_two_questions(app: Flask, project: Project) -> None:
    add_queue(project, 32)
    with write() as session:
        crowd = [people.create_person(session, f"Person {number}") for number in range(32)]
    project_id, ids, taken = project.id, [one.id for one in crowd], []
    db.session.rollback()

    def take_one(person_id: int) -> None:
        with app.app_context(), write() as session:
            question = queue.take_next(
                session, session.get_one(Project, project_id), session.get_one(Person, person_id)
            )
            taken.append(question.id if question is not None else None)

    threads = [threading.Thread(target=take_one, args=(one,)) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in taken
    assert len(set(taken)) == 32


def test_an_expired_lease_passes_on_and_the_late_decision_is_a_second_opinion(
    client: FlaskClient, annotator: FlaskClient, project: Project
) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    expire_leases()
    assert take(annotator, project)[0] == question
    assert decide(client, project, question, form, "accept").status_code == 303
    late = labels_of(project)[0]
    assert (late.verdict, late.is_late) == ("accept", True)
    row = db.session.get_one(Question, question)
    assert row.lease_person_id == person_named("Ben").id


def test_a_decision_after_the_question_was_done_by_another_is_kept_too(
    client: FlaskClient, annotator: FlaskClient, project: Project
) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    expire_leases()
    other, other_form = take(annotator, project)
    decide(annotator, project, other, other_form, "unanswerable")
    decide(client, project, question, form, "accept")
    first, second = labels_of(project)
    assert (first.is_late, second.is_late) == (False, True)
    assert db.session.get_one(Question, question).label_count == 2


def test_an_expired_lease_that_nobody_took_is_not_late(client: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    expire_leases()
    decide(client, project, question, form, "accept")
    assert labels_of(project)[0].is_late is False


def test_overlap_serves_a_question_to_as_many_people_as_asked_and_to_nobody_twice(
    client: FlaskClient, annotator: FlaskClient, project: Project
) -> None:
    add_queue(project, 1)
    set_project(project, overlap=2)
    question, form = take(client, project)
    decide(client, project, question, form, "accept")
    assert db.session.get_one(Question, question).state == "open"
    assert "All done" in next_page(client, project)
    again, other_form = take(annotator, project)
    assert again == question
    decide(annotator, project, question, other_form, "accept")
    assert db.session.get_one(Question, question).state == "done"


def test_a_skipped_question_stays_in_the_queue_of_others(
    client: FlaskClient, annotator: FlaskClient, project: Project
) -> None:
    first, second = add_queue(project, 2)
    question, form = take(client, project)
    assert question == first
    decide(client, project, question, form, "skip")
    assert take(client, project)[0] == second
    assert take(annotator, project)[0] == first


def test_more_overlap_opens_done_questions_again(client: FlaskClient, annotator: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, form = take(client, project)
    decide(client, project, question, form, "accept")
    assert "All done" in next_page(annotator, project)
    set_project(project, overlap=2)
    assert take(annotator, project)[0] == question


def test_signing_out_gives_the_question_back(client: FlaskClient, annotator: FlaskClient, project: Project) -> None:
    add_queue(project, 1)
    question, _ = take(client, project)
    client.post("/sign-out")
    assert take(annotator, project)[0] == question


def test_taking_the_next_question_reads_the_queue_in_its_order(app: Flask, project: Project, person: Person) -> None:
    """The index gives the front of the queue: no sort, and no walk over all questions."""
    add_queue(project, 1)
    issued: list[tuple[str, Any]] = []
    event.listen(db.engine, "before_cursor_execute", lambda *call: issued.append((call[2], call[3])))
    with write() as session:
        assert queue.take_next(session, session.get_one(Project, project.id), person) is not None
    statement, parameters = next(one for one in issued if one[0].startswith("UPDATE question"))
    plan = " ".join(
        str(row) for row in db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    )
    assert "question_queue" in plan
    assert "TEMP B-TREE" not in plan
    assert "SCAN question" not in plan
