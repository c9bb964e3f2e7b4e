"""A job's page: asks again while it runs, stays still when it has ended, and can be cancelled."""

import contextlib
import datetime as dt
import re
import sqlite3
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from webapp.db import PRAGMAS, write
from webapp.jobs import service
from webapp.jobs.context import context_of
from webapp.jobs.run import wait
from webapp.models import Job, Process, Project, db, now
from webapp.projects.service import create_project
from webapp.settings import Settings

HTMX = {"HX-Request": "true"}


@pytest.fixture
def job(project: Project) -> Job:
    with write() as session:
        return service.enqueue(session, "index", project_id=project.id, payload={})


def set_state(job: Job, **values: object) -> None:
    with write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(**values))


@pytest.mark.parametrize("state", ["queued", "leased", "running"])
def test_an_active_job_asks_again_by_itself_and_can_be_cancelled(client: FlaskClient, job: Job, state: str) -> None:
    set_state(job, state=state, fraction=0.25, message="Embedding")
    fragment = client.get(f"/jobs/{job.id}", headers=HTMX).text
    assert "<html" not in fragment
    assert "every 1s" in fragment
    assert f"/jobs/{job.id}/cancel" in fragment


def add_job(kind: str, project: Project, *, state: str = "queued", priority: int = 10) -> Job:
    with write() as session:
        made = service.enqueue(session, kind, project_id=project.id, payload={}, priority=priority)
        made.state = state
    return made


def waits(client: FlaskClient, job: Job) -> str:
    found = re.search(r'<p class="meta">([^<]*)</p>', client.get(f"/jobs/{job.id}", headers=HTMX).text)
    return unescape(found[1]) if found else ""


def test_a_job_that_waits_says_for_which_other_job_or_that_no_worker_is_running(
    client: FlaskClient, job: Job, project: Project
) -> None:
    assert waits(client, job) == "No worker is running: start one with `errata worker`."
    with write() as session:
        session.add(Process(name="worker", pid=1))
        other = create_project(session, "Menus <b>")
    assert waits(client, job) == "The worker begins it in a moment."
    add_job("train", other, state="running")  # training has a place of its own
    add_job("export", project)  # behind it
    assert waits(client, job) == "The worker begins it in a moment."
    sooner = add_job("import", other, priority=1)
    assert waits(client, job) == "An import in Menus <b> goes first."
    assert waits(client, sooner) == "The worker begins it in a moment."
    running = add_job("import", project, state="running", priority=30)
    assert waits(client, job) == "An import in this project goes first."
    assert waits(client, sooner) == f"An import in {project.name} goes first."
    assert waits(client, add_job("train", project)) == "An iteration in Menus <b> goes first."
    assert waits(client, running) == ""
    set_state(job, message="Starting again: it was killed.", attempt=1)
    assert waits(client, job).startswith("Starting again: it was killed. · An import")
    set_state(job, state="running", message="Embedding", fraction=0.25)
    assert waits(client, job) == "Embedding · 25 %"


def test_answering_ahead_makes_way_for_what_is_more_urgent_and_to_answer_again_for_anything(
    client: FlaskClient, job: Job, project: Project
) -> None:
    with write() as session:
        session.add(Process(name="worker", pid=1))
        other = create_project(session, "Menus")
    running = add_job("predict", project, state="running", priority=20)
    assert waits(client, job) == "Preparing answers in this project makes way for it."
    export = add_job("export", other, priority=5)
    assert waits(client, export) == f"Preparing answers in {project.name} makes way for it."
    assert waits(client, job) == "An export in Menus goes first."  # the running one makes way for that too
    set_state(export, state="cancelled")
    as_urgent = add_job("predict", other, priority=20)
    set_state(job, state="cancelled")
    assert waits(client, as_urgent) == f"Preparing answers in {project.name} goes first."
    set_state(running, priority=10, payload={"refresh": True})
    assert waits(client, as_urgent) == f"Preparing answers in {project.name} makes way for it."


def test_who_waits_for_a_job_does_it_where_no_worker_runs_and_says_so_of_none(job: Job, project: Project) -> None:
    heard: list[str] = []
    assert wait(job.id, report=lambda _, message: heard.append(message)).state == "failed"  # there is nothing to index
    assert not any("No worker" in message for message in heard)

    def cancel_it(_: float, message: str) -> None:
        heard.append(message)
        with write() as session:
            service.cancel(session, waiting)

    waiting = add_job("index", project)
    with write() as session:
        session.add(Process(name="worker", pid=1))
    assert wait(waiting.id, report=cancel_it).state == "cancelled"
    assert heard[-1] == "The worker begins it in a moment."


def test_the_corpus_page_says_what_an_import_waits_for(client: FlaskClient, project: Project) -> None:
    with write() as session:
        session.add(Process(name="worker", pid=1))
        made = service.enqueue(
            session, "import", project_id=project.id, payload={"name": "menu.csv", "kind": "documents"}
        )
    add_job("export", project, state="running")
    assert "An export in this project goes first." in client.get(f"/p/{project.id}/corpus").text
    set_state(made, state="running", message="7 rows read", fraction=0.5)
    assert ">7 rows read<" in client.get(f"/p/{project.id}/corpus").text


TIMES: list[tuple[float, float, int, str]] = [
    (50, 0.25, 1, "about 3 minutes left"), (590, 0.25, 1, "about 30 minutes left"), (60, 0.9, 1, "less than a minute left"),
    (60, 0.01, 1, ""), (5, 0.5, 1, ""), (60, 0.5, 2, ""),
]  # fmt: skip


@pytest.mark.parametrize(("seconds", "fraction", "attempt", "words"), TIMES)
def test_what_runs_says_how_much_longer_where_that_can_be_told(
    client: FlaskClient, job: Job, seconds: float, fraction: float, attempt: int, words: str
) -> None:
    started = now() - dt.timedelta(seconds=seconds)
    set_state(
        job,
        state="running",
        fraction=fraction,
        attempt=attempt,
        created_at=started,
        started_at=started,
        message="Embedding",
    )
    fragment = client.get(f"/jobs/{job.id}", headers=HTMX).text
    assert ("left" in fragment) == bool(words)
    assert words in fragment
    # It may have run before: stopping the server takes no attempt.
    set_state(job, created_at=started - dt.timedelta(minutes=2))
    assert "left" not in client.get(f"/jobs/{job.id}", headers=HTMX).text


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_an_ended_job_does_not_ask_again(client: FlaskClient, job: Job, state: str) -> None:
    set_state(job, state=state)
    fragment = client.get(f"/jobs/{job.id}", headers=HTMX).text
    assert "hx-trigger" not in fragment
    assert "/cancel" not in fragment


def test_a_failed_job_shows_that_it_failed_and_why(client: FlaskClient, job: Job) -> None:
    set_state(job, state="failed", error="The disk is full.")
    page = client.get(f"/jobs/{job.id}").text
    assert "The disk is full." in page
    assert "ailed" in page


def test_the_button_cancels_with_and_without_htmx(client: FlaskClient, project: Project, job: Job) -> None:
    fragment = client.post(f"/jobs/{job.id}/cancel", headers=HTMX)
    assert fragment.status_code == 200
    assert "hx-trigger" not in fragment.text
    assert db.session.get_one(Job, job.id).state == "cancelled"
    with write() as session:
        another = service.enqueue(session, "index", project_id=project.id, payload={})
    set_state(another, state="running")
    page = client.post(f"/jobs/{another.id}/cancel")
    assert page.status_code == 303
    assert db.session.get_one(Job, another.id).cancel_requested


def test_an_annotator_sees_a_job_and_cannot_cancel_it(app: Flask, annotator: FlaskClient, job: Job) -> None:
    assert annotator.get(f"/jobs/{job.id}").status_code == 200
    assert annotator.post(f"/jobs/{job.id}/cancel").status_code == 403


def test_an_unknown_job_is_not_found(client: FlaskClient) -> None:
    assert client.get("/jobs/99").status_code == 404


def test_a_busy_database_costs_a_line_of_progress_and_not_the_job(
    job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_state(job, state="running", lease_token="ours")
    context = context_of(job, "ours")
    monkeypatch.setattr("webapp.db.PRAGMAS", (*PRAGMAS, "PRAGMA busy_timeout=20"))
    monkeypatch.setattr("webapp.jobs.context.REPORT_EVERY_S", 0.0)
    db.session.remove()
    db.engine.dispose()
    with contextlib.closing(sqlite3.connect(settings.home / "errata.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        context.report(0.5, "Nobody hears it")
        other.execute("ROLLBACK")
    assert service.job_or_404(job.id).fraction == 0.0
    context.report(0.75, "Training")
    db.session.expire_all()
    assert service.job_or_404(job.id).fraction == 0.75


def test_an_unknown_kind_is_a_defect_not_a_job(project: Project) -> None:
    with pytest.raises(KeyError, match="known are import"), write() as session:
        service.enqueue(session, "fly", project_id=project.id, payload={})


def test_every_kind_names_a_function_that_exists() -> None:
    from training.tasks import load_function
    from webapp.jobs.registry import KINDS

    for path in KINDS.values():
        assert callable(load_function(path))
