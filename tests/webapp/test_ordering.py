"""The queue in the order of the project's strategy, as people are served it."""

import json
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from serving_kit import build_served
from sqlalchemy import select

from tests.webapp.queue_rows import add_question, decide, set_project, take
from webapp.ask import ordering
from webapp.corpus.importing import import_file
from webapp.db import write
from webapp.jobs.run import run_here
from webapp.jobs.service import enqueue, job_or_404
from webapp.models import Answer, EvaluationRow, Iteration, Job, Project, Question, db


def run_waiting(project: Project, kind: str) -> dict[str, object]:
    job_id = db.session.scalar(
        select(Job.id).where(Job.project_id == project.id, Job.kind == kind, Job.state == "queued")
    )
    assert job_id is not None
    assert run_here(job_id)
    db.session.rollback()
    db.session.expire_all()
    done = job_or_404(job_id)
    assert done.state == "succeeded", done.error
    return dict(done.result or {})


def served(client: FlaskClient, project: Project, count: int) -> list[int]:
    found = []
    for _ in range(count):
        question, form = take(client, project)
        found.append(question)
        assert decide(client, project, question, form, "skip").status_code == 303
    return found


def add_questions(project: Project) -> list[int]:
    texts = (
        "When does Chez Bella open?",
        "Can I pay by card at Bar Caro?",
        "Where does the wine come from?",
        "Are dogs fine?",
    )
    return [add_question(project, text) for text in texts]


def test_a_new_strategy_is_a_job_and_then_the_order_questions_are_served_in(
    client: FlaskClient, project: Project
) -> None:
    questions = add_questions(project)
    response = client.post(f"/p/{project.id}/settings", data={"strategy": "newest"})
    assert "Saved." in response.text
    run_waiting(project, "order")
    assert served(client, project, 4) == questions[::-1]


def test_a_queue_without_questions_has_nothing_to_order(client: FlaskClient, project: Project) -> None:
    client.post(f"/p/{project.id}/settings", data={"strategy": "newest", "seed": "5"})
    assert db.session.scalar(select(Job.id).where(Job.kind == "order")) is None
    add_questions(project)
    client.post(f"/p/{project.id}/settings", data={"strategy": "random", "seed": "5"})
    assert db.session.scalar(select(Job.id).where(Job.kind == "order")) is not None


def test_the_same_strategy_again_orders_nothing_anew(client: FlaskClient, project: Project) -> None:
    client.post(f"/p/{project.id}/settings", data={"strategy": "random", "seed": "0"})
    assert db.session.scalar(select(Job.id).where(Job.kind == "order")) is None


def test_a_strategy_nobody_knows_is_refused_with_the_known_ones(client: FlaskClient, project: Project) -> None:
    response = client.post(f"/p/{project.id}/settings", data={"strategy": "best"})
    assert response.status_code == 400
    assert "Choose random, uncertain, diverse, uncertain_diverse, worst_slice or newest." in response.text


def test_after_the_queue_is_answered_the_least_sure_comes_first_but_after_what_was_typed(
    client: FlaskClient, tmp_path: Path
) -> None:
    project = build_served(tmp_path)
    set_project(project, strategy="uncertain", blind=0)
    add_questions(project)
    typed = add_question(project, "What did I ask myself?", source="typed", priority=-1.0)
    with write() as session:
        job = enqueue(session, "predict", project_id=project.id, payload={})
    assert run_here(job.id)
    db.session.expire_all()
    scores = db.session.execute(select(Question.id, Answer.score).join(Answer, Answer.id == Question.answer_id))
    by_score = [question for question, _ in sorted(scores, key=lambda row: row[1]) if question != typed]
    assert served(client, project, 5) == [typed, *by_score]


def test_a_question_imported_later_waits_behind_the_ordered_ones_until_the_next_pass(
    client: FlaskClient, project: Project
) -> None:
    questions = add_questions(project)
    set_project(project, strategy="newest")
    run_waiting(project, "order")
    late = add_question(project, "Did this come late?")
    assert ordering.is_anything_unordered(project.id)
    assert served(client, project, 5) == [*questions[::-1], late]


def test_questions_with_known_answers_wait_behind_all_others(
    client: FlaskClient, project: Project, tmp_path: Path
) -> None:
    rows = [{"question": f"Known {n}?", "context": "It is red.", "answers": ["red"]} for n in range(2)]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(tmp_path / "gold.jsonl", project=project, kind="gold")
    gold = list(db.session.scalars(select(Question.id).order_by(Question.id)))
    set_project(project, strategy="newest", blind=0)
    questions = add_questions(project)
    assert served(client, project, 1) == questions[:1]
    run_waiting(project, "order")
    late = add_question(project, "Did this come late?")
    last = served(client, project, 6)[-3:]
    assert (last[0], set(last[1:])) == (late, set(gold))


def test_the_worst_slice_of_the_last_evaluation_is_served_first(
    app: Flask, client: FlaskClient, project: Project
) -> None:
    questions = add_questions(project)
    tested = [
        add_question(project, f"{word} was test {n}?", state="done") for word in ("When", "Where") for n in range(6)
    ]
    with write() as session:
        job = Job(kind="train", project_id=project.id, state="succeeded")
        session.add(job)
        session.flush()
        iteration = Iteration(project_id=project.id, number=1, job_id=job.id, base="starter", path="none")
        session.add(iteration)
        session.flush()
        for place, question in enumerate(tested):
            score = {"f1": 0.9 if place < 6 else 0.1}
            session.add(EvaluationRow(
                iteration_id=iteration.id, question_id=question, before_text="", after_text="", before=score, after=score
            ))  # fmt: skip
    set_project(project, strategy="worst_slice")
    run_waiting(project, "order")
    order = served(client, project, 4)
    assert (order[0], order[-1]) == (questions[2], questions[0])
