"""The loop end to end with a tiny model: import, index, ask, label, train, promote, and the corrected question is answered right."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tests.webapp import toy_loop
from training.split import split_of
from webapp.db import write
from webapp.iterations.labels_used import labels_used, written_down
from webapp.models import EvaluationRow, Job, Person, Project, Release, db
from webapp.projects import settings as project_settings
from webapp.releases import history
from webapp.releases.service import champion_of

pytestmark = pytest.mark.usefixtures("app")


def test_a_corrected_question_is_answered_right_and_a_worse_candidate_is_never_served(
    client: FlaskClient, tmp_path: Path, person: Person
):
    project = toy_loop.make_project(tmp_path / "toy")
    before = toy_loop.load_champion(project)
    toy_loop.answer_queue(project, before)
    toy_loop.correct_all(project, person)

    iteration, job = toy_loop.train(project, person)

    assert job.state == "succeeded", job.error
    result = job.result or {}
    assert result["examples"] == {"accept": 0, "correct": 24, "negative": 0, "rehearsal": 0}
    assert result["gate"]["decision"] == "promote", result["gate"]
    champion = champion_of(project)
    assert champion is not None
    assert (champion.iteration_id, champion.number, result["candidate"]) == (iteration.id, 2, 2)
    assert history.promotions(project)[0].by == "the gate"
    used = labels_used(iteration)
    assert used == written_down(iteration)
    assert (used.total, used.aside) == (24, 0)

    taught = next(question for question in toy_loop.questions_of(project) if split_of(question.text) == "train")
    [answered] = toy_loop.load_champion(project).answer([taught.text], k=1)
    assert answered.prediction.text == toy_loop.right_answers()[taught.text]

    judged = db.session.scalars(select(EvaluationRow).where(EvaluationRow.iteration_id == iteration.id)).all()
    assert judged
    assert all(split_of(row.question.text) == "test" for row in judged)
    waiting = db.session.scalar(
        select(func.count()).select_from(Job).where(Job.kind == "predict", Job.state == "queued")
    )
    assert waiting == 1  # the queue is answered again by the new release
    assert db.session.scalar(select(func.count()).select_from(Release)) == 2

    _a_worse_candidate_is_not_served(client, project, person)


def _a_worse_candidate_is_not_served(client: FlaskClient, project: Project, person: Person) -> None:
    with write() as session:
        project_settings.update(session, project, epochs=0.01)
    iteration, job = toy_loop.train(project, person)
    assert job.state == "succeeded", job.error
    assert (iteration.gate or {})["decision"] == "hold"
    champion = champion_of(project)
    assert champion is not None
    assert champion.number == 2

    address = f"/p/{project.id}/iterations/{iteration.number}"
    page = client.get(address).text
    assert "worse than the model in service" in page
    assert "Promote release 3" in page
    for key in ("loss", "validation_f1"):
        figures = client.get(f"{address}/curves/{key}").json
        assert figures["live"] is False
    assert client.post(f"{address}/promote", data={"reason": ""}).status_code == 400
    assert client.post(f"{address}/promote", data={"reason": "To see it fail."}).status_code == 303
    after = champion_of(project)
    assert after is not None
    assert after.number == 3
    assert "To see it fail." in client.get(address).text
    assert client.post(f"/p/{project.id}/releases/rollback", data={"reason": " "}).status_code == 400
    assert client.post(f"/p/{project.id}/releases/rollback", data={"reason": "It failed."}).status_code == 303
    restored = champion_of(project)
    assert restored is not None
    assert restored.number == 2
