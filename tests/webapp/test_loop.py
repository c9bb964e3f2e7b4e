"""The loop end to end with a tiny model: import, index, ask, label, train, promote, and the corrected question is answered right."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from tests.webapp import toy_loop
from training.split import split_of
from webapp.models import EvaluationRow, Job, Person, Release, db
from webapp.releases.service import champion_of

pytestmark = pytest.mark.usefixtures("app")


def test_a_corrected_question_is_answered_right_after_one_iteration(app: Flask, tmp_path: Path, person: Person):
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

    taught = next(question for question in toy_loop.questions_of(project) if split_of(question.text) == "train")
    [answered] = toy_loop.load_champion(project).answer([taught.text], k=1)
    assert answered.prediction.text == toy_loop.right_answers()[taught.text]

    judged = db.session.scalars(select(EvaluationRow).where(EvaluationRow.iteration_id == iteration.id)).all()
    assert judged
    assert all(split_of(row.question.text) == "test" for row in judged)
    waiting = db.session.scalar(select(func.count()).select_from(Job).where(Job.kind == "predict", Job.state == "queued"))
    assert waiting == 1  # the queue is answered again by the new release
    assert db.session.scalar(select(func.count()).select_from(Release)) == 2
