"""The job promise: one claim, one lock, a fenced lease, resumed after a kill, cancelled in time, failed in words."""

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import job_kinds
import pytest
from flask import Flask
from sqlalchemy import func, select, update

from webapp.db import write
from webapp.errors import Busy
from webapp.jobs import service
from webapp.jobs.registry import KINDS
from webapp.jobs.run import execute, run_here
from webapp.models import AuditEvent, Job, Project, db, now
from webapp.projects.service import delete_project
from webapp.settings import Settings

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, path in job_kinds.KINDS.items():
        monkeypatch.setitem(KINDS, name, path)


class Workers:
    def __init__(self, settings: Settings) -> None:
        self.environ = {**os.environ, "ERRATA_HOME": str(settings.home), "PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, str(TESTS / "worker_process.py")], env=self.environ)
        self.processes.append(process)
        return process


@pytest.fixture
def workers(app: Flask, settings: Settings) -> Iterator[Workers]:
    found = Workers(settings)
    yield found
    for process in found.processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)  # a test that failed may have left it stopped
            process.terminate()
            process.wait(10)


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        db.session.rollback()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("It did not happen in time.")


def enqueue(kind: str, *, lock: str | None = None, project_id: int | None = None, **payload: Any) -> int:
    with write() as session:
        return service.enqueue(session, kind, project_id=project_id, payload=payload, lock=lock).id


def run_now(job_id: int) -> Job:
    run_here(job_id)
    return service.job_or_404(job_id)


def state(job_id: int) -> str:
    return service.job_or_404(job_id).state


def pid_in(place: Path) -> int:
    return int(until(lambda: place.exists() and place.read_text(encoding="utf-8")))


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_a_job_is_claimed_once_by_many_workers(app: Flask) -> None:
    ids = {enqueue("count", steps=0) for _ in range(10)}
    claimed: list[int] = []

    def claim_all() -> None:
        with app.app_context():
            while len(claimed) < 100:  # a claim that takes nothing would go on for ever
                with write() as session:
                    job = service.claim(session)
                    if job is None:
                        return
                    claimed.append(job.id)

    threads = [threading.Thread(target=claim_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(ids)


def test_two_active_jobs_never_hold_one_lock(app: Flask, tmp_path: Path) -> None:
    first = enqueue("count", lock="train:1", steps=0, file=str(tmp_path / "n"))
    with pytest.raises(Busy) as refused:
        enqueue("count", lock="train:1", steps=0)
    assert refused.value.job_id == first
    enqueue("count", lock="train:2", steps=0)
    assert run_now(first).state == "succeeded"
    enqueue("count", lock="train:1", steps=0)


def test_the_database_itself_refuses_a_second_active_job_with_one_lock(app: Flask) -> None:
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError), write() as session:
        session.add_all([Job(kind="count", lock="train:1", payload={}), Job(kind="count", lock="train:1", payload={})])


def test_a_job_of_a_transaction_that_fails_does_not_exist(app: Flask) -> None:
    with pytest.raises(ZeroDivisionError), write() as session:  # noqa: PT012
        service.enqueue(session, "count", project_id=None, payload={"steps": 0})
        raise ZeroDivisionError
    assert db.session.scalar(select(func.count()).select_from(Job)) == 0


@pytest.mark.kill
def test_a_killed_child_is_started_again_and_goes_on_where_it_was(workers: Workers, tmp_path: Path) -> None:
    job_id = enqueue("count", file=str(tmp_path / "n"), steps=30)
    workers.start()
    pid = pid_in(tmp_path / "n.pid")
    until(lambda: (tmp_path / "n").exists() and int((tmp_path / "n").read_text() or 0) >= 5)
    os.kill(pid, signal.SIGKILL)
    until(lambda: state(job_id) == "succeeded")
    job = service.job_or_404(job_id)
    assert job.attempt == 2
    assert job.result is not None
    assert job.result["done"] == 30
    assert job.result["first"] >= 5


@pytest.mark.kill
def test_a_killed_worker_takes_its_child_along_and_another_finishes_once(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = enqueue("count", file=str(tmp_path / "n"), steps=40)
    first = workers.start()
    pid = pid_in(tmp_path / "n.pid")
    until(lambda: state(job_id) == "running")
    first.kill()
    first.wait()
    until(lambda: not is_alive(pid), 5)
    assert state(job_id) == "running"  # nobody knows yet
    with write() as session:
        assert service.requeue_stale(session) == 0  # heard of a moment ago: not stale
        session.execute(update(Job).where(Job.id == job_id).values(heartbeat_at=now() - dt.timedelta(seconds=31)))
    workers.start()
    until(lambda: state(job_id) == "succeeded")
    assert service.job_or_404(job_id).attempt == 2


@pytest.mark.kill
def test_a_worker_that_was_away_cannot_write_over_the_one_that_took_its_job(workers: Workers, tmp_path: Path) -> None:
    go = tmp_path / "go"
    job_id = enqueue("publish", file=str(tmp_path / "p"), go=str(go))
    process = workers.start()
    pid_in(tmp_path / "p.pid")
    process.send_signal(signal.SIGSTOP)  # away: its child goes on, its heart does not beat
    with write() as session:
        session.execute(update(Job).where(Job.id == job_id).values(heartbeat_at=now() - dt.timedelta(seconds=31)))
        assert service.requeue_stale(session) == 1
    with write() as session:
        taken = service.claim(session)
    assert taken is not None
    go.touch()
    time.sleep(1.0)
    db.session.rollback()
    assert (
        db.session.scalar(select(func.count()).select_from(AuditEvent).where(AuditEvent.action == "test.publish")) == 0
    )
    assert state(job_id) == "leased"
    process.send_signal(signal.SIGCONT)
    assert execute(job_id, taken.lease_token or "")
    assert state(job_id) == "succeeded"
    written = db.session.scalars(select(AuditEvent).where(AuditEvent.action == "test.publish")).all()
    assert [event.detail["attempt"] for event in written] == [2]


def test_a_stale_token_finishes_nothing(app: Flask) -> None:
    job_id = enqueue("count", steps=0)
    with write() as session:
        old = service.claim(session)
        assert old is not None
        session.execute(update(Job).where(Job.id == job_id).values(heartbeat_at=now() - dt.timedelta(seconds=31)))
        token = old.lease_token
        service.requeue_stale(session)
        service.claim(session)
    with write() as session:
        assert not service.heartbeat(session, job_id, token or "")
        assert not service.finish(session, job_id, token or "", state="succeeded", result={})
    assert state(job_id) == "leased"


def test_a_job_that_always_dies_is_given_up_after_three_attempts(app: Flask) -> None:
    job_id = enqueue("count", steps=0)
    for _ in range(3):
        with write() as session:
            job = service.claim(session)
            assert job is not None
            service.give_back(session, job.id, job.lease_token or "", why="its process was ended by SIGKILL")
    job = service.job_or_404(job_id)
    assert job.state == "failed"
    assert "3 times" in job.error
    assert "SIGKILL" in job.error


def test_stopping_the_server_costs_no_attempt(app: Flask) -> None:
    job_id = enqueue("count", steps=0)
    for _ in range(5):
        with write() as session:
            job = service.claim(session)
            assert job is not None
            service.give_back(session, job.id, job.lease_token or "", why="the worker was stopped", is_fault=False)
    assert (state(job_id), service.job_or_404(job_id).attempt) == ("queued", 0)


@pytest.mark.kill
def test_cancel_stops_a_running_job_that_reports(workers: Workers, tmp_path: Path) -> None:
    job_id = enqueue("count", file=str(tmp_path / "n"), steps=10_000)
    workers.start()
    pid = pid_in(tmp_path / "n.pid")
    until(lambda: state(job_id) == "running")
    with write() as session:
        service.cancel(session, service.job_or_404(job_id))
    until(lambda: state(job_id) == "cancelled", 4)  # by itself, before it would be killed
    until(lambda: not is_alive(pid), 5)


@pytest.mark.kill
def test_a_job_gives_way_to_the_pages(workers: Workers, tmp_path: Path) -> None:
    enqueue("count", file=str(tmp_path / "n"), steps=200)
    workers.start()
    pid = pid_in(tmp_path / "n.pid")
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    group = Path(f"/proc/{pid}/autogroup")
    # Where Linux groups processes by session, the niceness of a process counts inside its group only.
    assert not group.exists() or group.read_text(encoding="ascii").split()[-1] == "10"


@pytest.mark.kill
def test_cancel_kills_a_job_that_does_not_listen_within_ten_seconds(workers: Workers, tmp_path: Path) -> None:
    job_id = enqueue("deaf", file=str(tmp_path / "n"))
    workers.start()
    pid = pid_in(tmp_path / "n.pid")
    with write() as session:
        service.cancel(session, service.job_or_404(job_id))
    until(lambda: state(job_id) == "cancelled", 10)
    assert not is_alive(pid)


def test_a_job_cancelled_just_before_it_publishes_writes_nothing_and_says_that_it_was_cancelled(
    app: Flask, tmp_path: Path
) -> None:
    (tmp_path / "go").touch()
    job_id = enqueue("publish", file=str(tmp_path / "p"), go=str(tmp_path / "go"))
    with write() as session:
        claimed = service.claim(session, job_id=job_id)
        assert claimed is not None
        token = str(claimed.lease_token)
        session.execute(update(Job).where(Job.id == job_id).values(cancel_requested=True))
    assert execute(job_id, token)
    job = service.job_or_404(job_id)
    assert (job.state, job.message) == ("cancelled", "Cancelled.")
    assert db.session.scalar(select(func.count()).select_from(AuditEvent)) == 0


def test_a_queued_job_is_cancelled_at_once_and_never_runs(app: Flask) -> None:
    job_id = enqueue("count", steps=1, file="/nowhere")
    with write() as session:
        service.cancel(session, service.job_or_404(job_id))
        assert service.claim(session) is None
    assert state(job_id) == "cancelled"


@pytest.mark.kill
def test_deleting_a_project_cancels_its_running_job(workers: Workers, project: Project, tmp_path: Path) -> None:
    job_id = enqueue("count", project_id=project.id, file=str(tmp_path / "n"), steps=10_000)
    workers.start()
    until(lambda: state(job_id) == "running")
    with write() as session:
        delete_project(session, project)
    until(lambda: state(job_id) == "cancelled", 10)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("refuse", "label some questions first"),
        ("break_down", "ZeroDivisionError: in the last line"),
        ("fill_disk", "The disk is full"),
    ],
)
def test_a_failed_job_says_why_in_one_sentence(app: Flask, kind: str, words: str) -> None:
    job = run_now(enqueue(kind))
    assert job.state == "failed"
    assert words in job.error
    assert "\n" not in job.error


def test_progress_is_stored_at_most_twice_a_second(app: Flask, tmp_path: Path) -> None:
    from sqlalchemy import event

    writes: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: writes.append(args[2]))
    job = run_now(enqueue("count", file=str(tmp_path / "n"), steps=20))
    assert job.state == "succeeded"
    reports = [
        statement
        for statement in writes
        if "fraction" in statement and "cancel_requested" in statement and "UPDATE" in statement
    ]
    assert 1 <= len(reports) <= 5


def test_long_work_lets_more_urgent_work_of_its_worker_go_first_and_goes_on(workers: Workers, tmp_path: Path) -> None:
    place, go = tmp_path / "steps", tmp_path / "go"
    with write() as session:
        payload = {"file": str(place), "go": str(go)}
        slow = service.enqueue(session, "yielding", project_id=None, payload=payload, priority=20).id
    workers.start()
    until(place.exists)
    with write() as session:
        last = {"file": str(tmp_path / "later"), "steps": 1}
        later = service.enqueue(session, "count", project_id=None, payload=last, priority=30).id
    urgent = enqueue("count", file=str(tmp_path / "urgent"), steps=1)
    until(lambda: state(urgent) == "succeeded")
    assert state(later) == "queued"  # less urgent than what stepped aside
    until(lambda: state(slow) == "running")
    go.touch()
    until(lambda: state(later) == "succeeded")
    job = service.job_or_404(slow)
    assert (job.state, job.attempt) == ("succeeded", 1)


def test_what_stepped_aside_costs_no_attempt_and_can_be_cancelled(app: Flask, tmp_path: Path) -> None:
    with write() as session:
        payload = {"file": str(tmp_path / "steps"), "go": str(tmp_path / "go")}
        slow = service.enqueue(session, "yielding", project_id=None, payload=payload, priority=20).id
    enqueue("count", file=str(tmp_path / "urgent"), steps=1)
    for _ in range(service.MAX_ATTEMPTS + 1):
        with write() as session:
            claimed = service.claim(session, job_id=slow)
            assert claimed is not None
            token = str(claimed.lease_token)
        assert execute(slow, token, has_worker=True)
        job = service.job_or_404(slow)
        assert (job.state, job.attempt, job.lease_token) == ("queued", 0, None)
    with write() as session:
        claimed = service.claim(session, job_id=slow)
        assert claimed is not None
        token = str(claimed.lease_token)
        session.execute(update(Job).where(Job.id == slow).values(state="running", cancel_requested=True))
    with write() as session:
        service.set_aside(session, slow, token, message="")
    assert state(slow) == "cancelled"


def test_nothing_steps_aside_for_work_that_is_no_more_urgent(app: Flask, tmp_path: Path) -> None:
    payload = {"file": str(tmp_path / "steps"), "go": str(tmp_path / "go")}
    with write() as session:
        slow = service.enqueue(session, "yielding", project_id=None, payload=payload, priority=20).id
        service.enqueue(session, "count", project_id=None, payload={}, priority=20)
    with write() as session:
        token = str(service.claim(session, job_id=slow).lease_token)
    threading.Timer(0.3, (tmp_path / "go").touch).start()
    assert execute(slow, token, has_worker=True)
    assert state(slow) == "succeeded"


def test_the_command_line_has_nobody_to_step_aside_for(app: Flask, tmp_path: Path) -> None:
    enqueue("count", file=str(tmp_path / "urgent"), steps=1)
    with write() as session:
        payload = {"file": str(tmp_path / "steps"), "go": str(tmp_path / "go")}
        slow = service.enqueue(session, "yielding", project_id=None, payload=payload, priority=20).id
    threading.Timer(0.3, (tmp_path / "go").touch).start()
    assert run_now(slow).state == "succeeded"
