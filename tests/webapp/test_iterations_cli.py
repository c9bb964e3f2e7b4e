"""train, evaluate and export on the command line, and a killed training that goes on with what it began with."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select, update

from tests.webapp import toy_loop
from training.types import Cancelled
from webapp.cli.learning import evaluate, export, train
from webapp.db import write
from webapp.home import absolute
from webapp.iterations import jobs
from webapp.iterations import service as iterations
from webapp.jobs.run import run_here
from webapp.models import Dataset, Iteration, Job, Person, Project, Release, db
from webapp.projects import settings as project_settings
from webapp.settings import Settings

METRICS = {"exact_match", "f1", "answerable_f1", "span_f1"}
RETRIEVAL = {"recall_at_1", "recall_at_5", "recall_at_10", "mrr_at_10", "ndcg_at_10"}


@pytest.fixture
def toy(app: Flask, tmp_path: Path, person: Person) -> Project:
    """Labelled, with a model that trains for a moment only."""
    project = toy_loop.make_project(tmp_path / "toy")
    toy_loop.answer_queue(project, toy_loop.load_champion(project))
    toy_loop.correct_all(project, person)
    with write() as session:
        project_settings.update(session, project, epochs=0.2)
    return project


def run(command: Any, *arguments: str, home: Path) -> dict[str, Any]:
    result = CliRunner().invoke(command, [*arguments, "--json"], env={"ERRATA_HOME": str(home)}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    db.session.rollback()
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_commands_print_what_the_design_promises(toy: Project, settings: Settings, tmp_path: Path):
    trained = run(train, "People", "--wait", home=settings.home)
    assert {"iteration", "state", "candidate", "examples", "before", "after", "gate", "seconds"} <= set(trained)
    assert set(trained["examples"]) == {"accept", "correct", "negative", "rehearsal"}
    assert trained["gate"]["decision"] in ("promote", "hold")
    assert trained["state"] == "succeeded"

    gold = tmp_path / "gold.jsonl"
    rows = [
        {"id": question, "question": question, "context": f"{name} lives in {answer} .", "is_impossible": False,
         "answers": [{"text": answer, "start": len(f"{name} lives in ")}]}
        for question, answer in toy_loop.right_answers().items() for name in [question.split()[2]]
    ]  # fmt: skip
    gold.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"question": "Broken?"}]), encoding="utf-8")
    given = run(evaluate, "People", "--gold", str(gold), "--mode", "given", "--release", "1", home=settings.home)
    assert (given["release"], given["n"], len(given["rejected"])) == (1, 24, 1)
    assert set(given["metrics"]) >= METRICS
    undefined = {name for name, value in given["metrics"].items() if value is None}  # every row has an answer
    assert undefined == {"unanswerable_accuracy", "answerability_auroc", "answerable_f1_at_75"}
    retrieved = run(evaluate, "People", "--gold", str(gold), "--mode", "retrieved", home=settings.home)
    assert set(retrieved["metrics"]) >= METRICS | RETRIEVAL
    assert retrieved["n_retrieval"] == 24
    assert retrieved["metrics"]["recall_at_10"] == 1.0
    assert retrieved["n_own_context"] == 0
    silent = {**rows[0], "question": "Where does the baker live ?", "is_impossible": True, "answers": []}
    gold.write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows, silent, {**silent, "question": "Who ?"}]), encoding="utf-8"
    )
    said = CliRunner().invoke(
        evaluate, ["People", "--gold", str(gold), "--mode", "retrieved"], env={"ERRATA_HOME": str(settings.home)}
    )
    assert "Rows that say only that their own context has no answer: 2." in said.output

    written = run(export, "People", "--format", "squad", "--output", str(tmp_path / "out.json"), home=settings.home)
    assert {"format": "squad", "rows": 24, "dropped": []}.items() <= written.items()
    assert len(json.loads((tmp_path / "out.json").read_text())["data"]) >= 1


def test_a_second_attempt_learns_from_what_the_first_began_with_and_trains_only_once(
    toy: Project, person: Person, monkeypatch: pytest.MonkeyPatch
):
    def die(*_: object, **__: object) -> None:
        raise OSError("killed after the model was saved")

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "contest", die)
        iteration, job = toy_loop.train(toy, person)
        assert job.state == "failed"
    place = absolute(f"projects/{toy.id}/answerers/{iteration.config['answerer']}")
    saved_at = (place / "manifest.json").stat().st_mtime_ns
    toy_loop.label(toy_loop.questions_of(toy)[0], person, "unanswerable")  # meanwhile somebody labels on
    with write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(state="queued", error=""))
    assert run_here(job.id)
    db.session.expire_all()
    again = db.session.get_one(Iteration, iteration.id)
    assert db.session.get_one(Job, job.id).state == "succeeded"
    assert again.dataset_id == iteration.dataset_id
    assert db.session.scalars(select(Dataset.id)).all() == [iteration.dataset_id]
    assert (place / "manifest.json").stat().st_mtime_ns == saved_at
    made = db.session.scalars(select(Release).where(Release.iteration_id == iteration.id)).all()
    assert len(made) == 1
    assert not (absolute(iteration.path) / "checkpoints").exists()

    with write() as session:  # killed after it had published, before its job was marked as done
        session.execute(update(Job).where(Job.id == job.id).values(state="queued"))
    first = db.session.get_one(Job, job.id).result
    assert run_here(job.id)
    assert len(db.session.scalars(select(Release).where(Release.iteration_id == iteration.id)).all()) == 1
    second = db.session.get_one(Job, job.id, populate_existing=True).result or {}
    assert {**second, "seconds": 0} == {**(first or {}), "seconds": 0}


def test_a_cancelled_job_publishes_nothing(toy: Project, person: Person, monkeypatch: pytest.MonkeyPatch):
    """Cancelled between the comparison and the last transaction: no release, no figures."""
    kept = jobs.publish

    def cancel_first(context: Any, *args: Any, **kwargs: Any) -> Any:
        with write() as session:
            session.execute(update(Job).where(Job.id == context.job_id).values(cancel_requested=True))
        return kept(context, *args, **kwargs)

    monkeypatch.setattr(jobs, "publish", cancel_first)
    iteration, job = toy_loop.train(toy, person)
    assert job.state == "cancelled"
    assert iteration.gate is None
    assert db.session.scalars(select(Release.number)).all() == [1]


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_cancelled_run_leaves_no_files_but_one_that_lost_its_lease_leaves_them_to_the_next(
    toy: Project, person: Person, monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
):
    def stop(*_: object, **__: object) -> None:
        with write() as session:
            session.execute(update(Job).where(Job.kind == "train").values(cancel_requested=is_cancelled))
        raise Cancelled("stop")

    monkeypatch.setattr(jobs, "contest", stop)
    iteration, _ = toy_loop.train(toy, person)
    assert absolute(f"projects/{toy.id}/answerers/{iteration.config['answerer']}").exists() is not is_cancelled
    assert (absolute(iteration.path) / "checkpoints").exists() is not is_cancelled


@pytest.mark.parametrize("lost_at", ["newest_label", "contest"])
def test_a_run_whose_lease_was_lost_writes_no_dataset_and_not_which_model_it_compared_with(
    toy: Project, person: Person, monkeypatch: pytest.MonkeyPatch, lost_at: str
):
    """Lost just before the dataset is frozen, and during the comparison, which the other worker's run ends with its own."""
    kept = getattr(jobs, lost_at)

    def lose_lease(*arguments: Any, **options: Any) -> Any:
        found = kept(*arguments, **options)
        db.session.rollback()
        with write() as session:
            session.execute(update(Job).where(Job.kind == "train").values(lease_token="another worker's"))
            session.execute(update(Iteration).values(champion_id=None))
        return found

    monkeypatch.setattr(jobs, lost_at, lose_lease)
    with write() as session:
        iteration = iterations.start(session, toy, person=person)
    assert not run_here(iteration.job_id)
    db.session.refresh(iteration)
    assert iteration.champion_id is None
    assert (db.session.scalar(select(Dataset.id)) is None) is (lost_at == "newest_label")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("", "nor gold JSON lines"), ('{"question": "x?", "context": "y", "answers": ["z"]}\n', "no usable gold row")],
)
def test_gold_without_a_usable_row_is_a_sentence(
    toy: Project, settings: Settings, tmp_path: Path, content: str, sentence: str
):
    gold = tmp_path / "gold.jsonl"
    gold.write_text(content)
    arguments = ["People", "--gold", str(gold)]
    result = CliRunner().invoke(evaluate, arguments, env={"ERRATA_HOME": str(settings.home)})
    assert sentence in str(result.exception)
