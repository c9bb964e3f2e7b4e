"""``kill -9`` of web, engine and worker while people label and a model learns: no acknowledged label is lost, none is doubled."""

import contextlib
import datetime as dt
import http.client
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from tests.serve_process import serving
from tests.webapp import toy_loop
from training.artefact import MANIFEST
from training.checkpoints import step_of
from webapp import home
from webapp.db import write
from webapp.iterations import progress
from webapp.iterations import service as iterations
from webapp.models import DatasetLabel, Iteration, Job, Label, Process, Project, Question, Release, db, now
from webapp.projects import settings as project_settings
from webapp.settings import Settings, web_processes

FIELD = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
ACTION = re.compile(r'action="(/p/\d+/annotate/(\d+))"')

pytestmark = pytest.mark.kill

PATIENCE_S = 600.0
"""Nothing here is promised within a time. A job gives way to everything else, so on a starved machine it needs minutes to begin."""


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        db.session.rollback()
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("It did not happen in time.")


def pid_of(name: str) -> int:
    pid: int = until(lambda: db.session.scalar(select(Process.pid).where(Process.name == name)))
    return pid


def web_pids(dead: Collection[int] = ()) -> list[int]:
    """Every web process there is to be but those known to be ``dead``, once each has written down its own: one that was overlooked would go
    on serving."""
    rows = select(Process.pid).where(Process.name.startswith("web"))

    def whole() -> list[int]:
        living = [pid for pid in db.session.scalars(rows) if pid not in dead]
        return living if len(living) == web_processes(Settings()) else []

    pids: list[int] = until(whole)
    return pids


def kill_all(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill(name: str) -> int:
    pid = pid_of(name)
    os.kill(pid, signal.SIGKILL)
    return pid


class Browser:
    """A browser whose page keeps a decision and sends the very same form again until the server says that it is saved."""

    def __init__(self, address: str) -> None:
        self.address = urlsplit(address)
        self.cookies: dict[str, str] = {}

    def connect(self, timeout: float = 15.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.address.port or 0, timeout=timeout)

    def headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": cookies, "HX-Request": "true", "Content-Type": "application/x-www-form-urlencoded"}

    def send(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        connection = self.connect()
        try:
            connection.request(method, path, urlencode(form or {}), self.headers())
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return response.status, text

    def send_until_answered(self, method: str, path: str, form: dict[str, str] | None = None) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                status, text = self.send(method, path, form)
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)
                continue
            assert status in (200, 204, 303), text
            return text
        raise AssertionError("The server did not come back.")

    @contextlib.contextmanager
    def sending(self, path: str, form: dict[str, str], *, half: bool) -> Iterator[None]:
        """The form's head is with a web process and its body, or half of it, on the way; nothing of the answer is read. To half a form
        there is none afterwards."""
        body = urlencode(form).encode()
        connection = self.connect(PATIENCE_S)
        connection.putrequest("POST", path)
        for name, value in {**self.headers(), "Content-Length": str(len(body)), "Expect": "100-continue"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            taken = connection.sock.recv(64)  # by a web process, not only by the listener
            assert taken.startswith(b"HTTP/1.1 100")
            connection.send(body[: len(body) // 2] if half else body)
            yield
            with contextlib.suppress(ConnectionError):
                assert not half or not connection.sock.recv(1)
        finally:
            connection.close()

    def sign_in(self) -> None:
        path = f"{self.address.path}?{self.address.query}"
        self.send_until_answered("POST", "/sign-in", dict(FIELD.findall(self.send_until_answered("GET", path))))


@pytest.fixture
def project(app: Flask, tmp_path: Path) -> Project:
    found = toy_loop.make_project(tmp_path / "toy")
    with write() as session:
        project_settings.update(session, found, epochs=30.0)
    toy_loop.answer_queue(found, toy_loop.load_champion(found))
    return found


@pytest.fixture
def address(project: Project, settings: Settings) -> Iterator[str]:
    """Everything that ``errata serve`` starts, and its sign-in link."""
    with serving(settings.home) as link:
        yield link


def decide_all(
    browser: Browser, project: Project, *, before: Callable[[int, str, dict[str, str]], None]
) -> dict[str, int]:
    """Answer the whole queue; returns submission -> question of every decision that the server acknowledged."""
    acknowledged: dict[str, int] = {}
    page = browser.send_until_answered("GET", f"/p/{project.id}/annotate")
    token = dict(FIELD.findall(page))["csrf_token"]
    page = browser.send_until_answered("POST", f"/p/{project.id}/annotate/next", {"csrf_token": token})
    answers = toy_loop.right_answers()
    while found := ACTION.search(page):
        form = dict(FIELD.findall(page))
        question = db.session.get_one(Question, int(found[2]))
        form |= {
            "decision": "correct",
            "text": answers[question.text],
            "passage": str(toy_loop.right_passage(question).id),
        }
        db.session.rollback()
        before(len(acknowledged), found[1], form)
        page = browser.send_until_answered("POST", found[1], form)
        acknowledged[form["submission_id"]] = question.id
    return acknowledged


def stored() -> dict[str, int]:
    db.session.rollback()
    return {
        submission: question
        for submission, question in db.session.execute(select(Label.submission_id, Label.question_id))
    }


def test_killing_web_engine_and_worker_loses_no_label_and_doubles_none(address: str, project: Project):
    browser = Browser(address)
    browser.sign_in()
    killed: dict[str, int] = {}
    dead: set[int] = set()

    def kill_web(after_s: float = 0.0) -> None:
        pids = web_pids(dead)
        dead.update(pids)
        threading.Timer(after_s, kill_all, (pids,)).start() if after_s else kill_all(pids)

    def disturb(done: int, path: str, form: dict[str, str]) -> None:
        if name := {3: "engine", 9: "worker"}.get(done):
            killed[name] = kill(name)
        elif done == 6:  # before the form is whole
            with browser.sending(path, form, half=True):
                kill_web()
            assert form["submission_id"] not in stored()
        elif done == 12:  # the label is saved; of its answer the page hears nothing
            with browser.sending(path, form, half=False):
                until(lambda: form["submission_id"] in stored())
                kill_web()
        elif done == 15:  # wherever the form is by then
            kill_web(after_s=0.004)

    acknowledged = decide_all(browser, project, before=disturb)
    assert len(acknowledged) == len(toy_loop.right_answers())
    assert stored() == acknowledged
    assert len(set(acknowledged.values())) == len(acknowledged)
    web_pids(dead)  # others serve since
    for name, pid in killed.items():
        until(lambda name=name, pid=pid: pid_of(name) != pid)

    with write() as session:
        iteration = iterations.start(session, project, person=None)
        fit = {**iteration.config["fit"], "save_every_s": 0.0}  # a checkpoint after every step
        iteration.config = {**iteration.config, "fit": fit}
    folder = home.absolute(iteration.path)
    over = select(Job.error).where(Job.id == iteration.job_id, Job.finished_at.is_not(None))
    assert until(lambda: kept_points(folder) or db.session.scalars(over).all()) != [""]
    kill("worker")
    kept = kept_points(folder)
    forget_worker(iteration.job_id)
    ended = (
        select(Job)
        .where(Job.id == iteration.job_id, Job.finished_at.is_not(None))
        .execution_options(populate_existing=True)
    )
    job = until(lambda: db.session.scalar(ended))
    assert (job.state, job.error) == ("succeeded", "")
    assert job.attempt == 2
    again = [step for step in logged(folder) if step <= max(kept)]
    assert again == kept  # no step was taken twice: the training went on from its checkpoint
    assert stored() == acknowledged
    assert db.session.scalar(select(func.count()).select_from(Iteration)) == 1
    trace(db.session.scalars(select(Release).where(Release.iteration_id == iteration.id)).one(), acknowledged)


def logged(folder: Path) -> list[float]:
    """The steps of the learning curve as they were written, repeated ones too; a torn line is skipped."""
    path = folder / progress.FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line)["step"] for line in lines if '"loss"' in line and line.endswith("}")]


def kept_points(folder: Path) -> list[float]:
    """Those that a whole checkpoint has behind it."""
    saved = [step_of(path) for path in (folder / "checkpoints").glob("checkpoint-*") if (path / MANIFEST).exists()]
    return [step for step in logged(folder) if step <= max(saved, default=0)]


def trace(release: Release, acknowledged: dict[str, int]) -> None:
    """From the one release that was made back to the labels it learned from."""
    iteration = db.session.get_one(Iteration, release.iteration_id, populate_existing=True)
    assert (iteration.seed, iteration.config["newest_label"]) == (0, db.session.scalar(select(func.max(Label.id))))
    assert release.metrics
    assert iteration.dataset is not None
    assert iteration.dataset.fingerprint
    used = select(Label.submission_id).join(DatasetLabel).where(DatasetLabel.dataset_id == iteration.dataset_id)
    assert set(db.session.scalars(used)) == set(acknowledged)


def forget_worker(job_id: int) -> None:
    """As if the thirty seconds had passed after which a silent worker's job goes to another."""
    with write() as session:
        session.execute(update(Job).where(Job.id == job_id).values(heartbeat_at=now() - dt.timedelta(minutes=1)))
