"""The worker: claims jobs, runs each in a spawned child, hears its heart, kills it when it is told to or lost the lease.

Two slots: one for long kinds (training) and one for the others, so that answers ahead of time never wait for
a training run.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from flask import Flask
from sqlalchemy import select

from webapp.db import write
from webapp.errors import ErrataError
from webapp.jobs import service
from webapp.jobs.registry import KINDS, LONG_KINDS
from webapp.jobs.run import HEARTBEAT_S
from webapp.models import Job, db

POLL_S = 0.3
GRACE_S = 5.0
STALE_CHECK_S = 5.0

log = logging.getLogger("errata.worker")


@dataclass
class Running:
    """A child at work."""

    job_id: int
    kind: str
    token: str
    process: subprocess.Popen[bytes]
    beaten_at: float = field(default_factory=time.monotonic)
    cancel_seen_at: float | None = None


def slots() -> tuple[tuple[str, ...], ...]:
    """The kinds each slot takes; a kind of a test's own is a short one."""
    return LONG_KINDS, tuple(kind for kind in KINDS if kind not in LONG_KINDS)


def _spawn(job: Job, token: str) -> Running:
    command = [sys.executable, "-m", "webapp.jobs.child", str(job.id), token, str(os.getpid()), KINDS[job.kind]]
    process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
    log.info("Job %s (%s), attempt %s, runs as process %s", job.id, job.kind, job.attempt, process.pid)
    return Running(job.id, job.kind, token, process)


def _kill(running: Running) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()


class Worker:
    def __init__(self, app: Flask, stop: threading.Event) -> None:
        self.app = app
        self.stop = stop
        self.children: dict[int, Running] = {}  # by slot
        self._stale_checked_at = 0.0

    def run(self) -> None:
        """Until ``stop`` is set. A child still at work then is killed and its job goes back into the queue."""
        while not self.stop.is_set():
            try:
                with self.app.app_context():
                    self.step()
            except ErrataError as error:  # a full or busy disk: labelling goes on, we try again
                log.warning("%s", error)
            self.stop.wait(POLL_S)
        with self.app.app_context():
            self._hand_back_all()

    def step(self) -> None:
        self._requeue_stale()
        for slot, kinds in enumerate(slots()):
            running = self.children.get(slot)
            if running is not None and not self._watch(running):
                del self.children[slot]
                running = None
            if running is None:
                self._take_next(slot, kinds)

    def _requeue_stale(self) -> None:
        if time.monotonic() - self._stale_checked_at > STALE_CHECK_S:
            self._stale_checked_at = time.monotonic()
            with write() as session:
                service.requeue_stale(session)

    def _take_next(self, slot: int, kinds: tuple[str, ...]) -> None:
        waiting = db.session.scalar(select(Job.id).where(Job.state == "queued", Job.kind.in_(kinds)).limit(1))
        if waiting is None:
            return
        with write() as session:
            job = service.claim(session, kinds=kinds)
        if job is not None and job.lease_token is not None:
            self.children[slot] = _spawn(job, job.lease_token)

    def _watch(self, running: Running) -> bool:
        """Look after a child; False when it is over."""
        if running.process.poll() is not None:
            self._see_off(running)
            return False
        job = db.session.get(Job, running.job_id, populate_existing=True)
        if job is None or job.lease_token != running.token or not service.is_active(job):
            _kill(running)
            return False
        if job.cancel_requested:
            return self._let_stop(running)
        if time.monotonic() - running.beaten_at > HEARTBEAT_S:
            running.beaten_at = time.monotonic()
            with write() as session:
                service.heartbeat(session, running.job_id, running.token)
        return True

    def _let_stop(self, running: Running) -> bool:
        running.cancel_seen_at = running.cancel_seen_at or time.monotonic()
        if time.monotonic() - running.cancel_seen_at < GRACE_S:
            return True
        _kill(running)
        with write() as session:
            service.finish(session, running.job_id, running.token, state="cancelled", message="Cancelled.")
        return False

    def _see_off(self, running: Running) -> None:
        """The child ended; if its job has not, it was killed or could not write."""
        code = running.process.returncode
        why = (
            f"its process was ended by {signal.Signals(-code).name}"
            if code < 0
            else f"its process ended with code {code}"
        )
        with write() as session:
            if service.give_back(session, running.job_id, running.token, why=why):
                log.warning("Job %s (%s): %s", running.job_id, running.kind, why)

    def _hand_back_all(self) -> None:
        for running in self.children.values():
            _kill(running)
            with write() as session:
                service.give_back(session, running.job_id, running.token, why="the worker was stopped", is_fault=False)
        self.children.clear()
