"""Before the first label a model can practise on the project's own corpus; what nobody could measure waits for a person."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.conftest import sign_in_as
from tests.toys import CITIES, NAMES, build_span
from tests.webapp import toy_loop
from webapp.cli.learning import train
from webapp.corpus.index import update_index
from webapp.db import write
from webapp.errors import Invalid
from webapp.iterations import service
from webapp.iterations.readiness import assess
from webapp.jobs.run import run_here
from webapp.models import Iteration, Job, Person, Project, Release, db
from webapp.projects import settings as project_settings
from webapp.projects.service import create_project
from webapp.releases.service import promote
from webapp.settings import Settings


@pytest.fixture
def unlabelled(app: Flask, tmp_path: Path) -> Project:
    """Documents in which phrases recur, in service with an untrained model; not one label."""
    toy_loop.use_one_thread()
    with write() as session:
        project = create_project(session, "People", task="qa", base=str(build_span(tmp_path / "base")), embedder="hash")
    with write() as session:
        project_settings.update(session, project, epochs=0.2, train_after=0, passages_shown=1)
    documents: list[dict[str, object]] = [
        {"title": "", "text": f"{name} Berger lives in {city}. Many people in {city} know {name} Berger very well."}
        for name, city in zip(NAMES, CITIES * len(NAMES), strict=False)
    ]
    toy_loop.import_lines(tmp_path / "documents.jsonl", documents, project, "documents")
    questions: list[dict[str, object]] = [{"question": question} for question in toy_loop.right_answers()]
    toy_loop.import_lines(tmp_path / "questions.jsonl", questions, project, "questions")
    update_index(project, report=toy_loop.quiet)
    return project


def import_gold(project: Project, folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"question": f"In which city does {question.split()[2]} Berger live ({number})?", "context": f"In {answer}.", "answers": [answer]}
        for number in range(3) for question, answer in toy_loop.right_answers().items() if "now" not in question
    ]  # fmt: skip
    toy_loop.import_lines(folder / "gold.jsonl", rows, project, "gold")


def newest(project: Project) -> Iteration:
    db.session.rollback()
    query = select(Iteration).where(Iteration.project_id == project.id).order_by(Iteration.number.desc())
    return db.session.scalars(query.execution_options(populate_existing=True)).first()  # type: ignore[return-value]


def test_practice_makes_a_candidate_that_a_person_may_promote_and_gold_measures_it(
    unlabelled: Project, client: FlaskClient, settings: Settings, person: Person, tmp_path: Path
) -> None:
    done = CliRunner().invoke(
        train, ["People", "--warm-up", "--wait", "--json"], env={"ERRATA_HOME": str(settings.home)}, catch_exceptions=False
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["candidate"], told["champion"], told["gate"]["decision"]) == (2, 1, "ask")
    assert "Nothing could be measured" in told["gate"]["reasons"][0]
    assert "a person may promote" in told["gate"]["reasons"][0]
    assert set(told["learned"]["rows"]) == {"practice"}
    base, candidate = db.session.scalars(select(Release).order_by(Release.number)).all()
    assert candidate.answerer_sha256 != base.answerer_sha256
    page = client.get(f"/p/{unlabelled.id}/iterations/1").text
    assert "Promote release 2" in page
    with write() as session:
        promote(
            session, session.get_one(Project, unlabelled.id), session.get_one(Release, candidate.id), reason="try it"
        )
    assert "It practised on your documents: iteration 1." in client.get(f"/p/{unlabelled.id}/").text

    import_gold(unlabelled, tmp_path)
    toy_loop.answer_queue(unlabelled, toy_loop.load_champion(unlabelled))
    labels = [
        toy_loop.label(question, person, "correct", text="Oslo") for question in toy_loop.questions_of(unlabelled)[:3]
    ]
    assert "Practise on the corpus" in client.get(f"/p/{unlabelled.id}/iterations").text
    started = client.post(f"/p/{unlabelled.id}/iterations", data={"practice": "1"})
    assert started.status_code == 303
    second = newest(unlabelled)
    assert run_here(second.job_id)
    second = newest(unlabelled)
    assert db.session.get_one(Job, second.job_id).state == "succeeded"
    assert second.gate is not None
    assert second.gate["interval"]["n"] > 0
    assert "test question" in second.gate["reasons"][0]
    assert "learned from no label" in second.gate["reasons"][-1]
    assert client.get(f"/p/{unlabelled.id}/iterations").text.count(">the corpus</td>") == 2

    assert (assess(unlabelled).changed, assess(unlabelled).changed_since_last) == (3, 3)  # no label was learned from
    traced = client.get(f"/p/{unlabelled.id}/labels/{labels[0].id}").text
    assert "Nothing yet. What the next iteration takes from it" in traced
    assert "Iteration 2" not in traced


def test_practice_alone_is_refused_where_there_are_labels_enough_to_learn_from(
    unlabelled: Project, client: FlaskClient, app: Flask, person: Person
) -> None:
    ben = sign_in_as(app, "Ben", "annotator")
    assert "Practise on the corpus" not in ben.get(f"/p/{unlabelled.id}/iterations").text
    assert ben.post(f"/p/{unlabelled.id}/iterations", data={"practice": "1"}).status_code == 403
    toy_loop.answer_queue(unlabelled, toy_loop.load_champion(unlabelled))
    for question in toy_loop.questions_of(unlabelled)[:8]:
        toy_loop.label(question, person, "correct", text="Oslo")
    assert not assess(unlabelled).can_practise
    assert "Practise on the corpus" not in client.get(f"/p/{unlabelled.id}/iterations").text
    with pytest.raises(Invalid, match="warm_up on"), write() as session:
        service.start(session, unlabelled, person=None, is_practice=True)


def test_a_corpus_in_which_nothing_recurs_gives_one_sentence(app: Flask, tmp_path: Path) -> None:
    project = toy_loop.make_project(tmp_path / "toy")
    with write() as session:
        iteration = service.start(session, project, person=None, is_practice=True)
    assert run_here(iteration.job_id)
    db.session.expire_all()
    job = db.session.get_one(Job, iteration.job_id)
    assert job.state == "failed"
    assert "a phrase has to occur in two sentences of one passage" in job.error
