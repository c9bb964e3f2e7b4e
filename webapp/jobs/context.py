"""What a job's function gets: its payload, a way to say how far it is, and the guard against writing without the lease."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from training.types import Cancelled
from webapp.db import write
from webapp.errors import Busy, ErrataError
from webapp.jobs.registry import LONG_KINDS
from webapp.models import Job, db, now

REPORT_EVERY_S = 0.5


class StepAside(Exception):
    """More urgent work waits for the worker; what the job has done stays done."""


class LeaseLost(ErrataError):
    """The job was given to somebody else, cancelled or finished; whoever gets this must not write any more."""


@dataclass
class JobContext:
    job_id: int
    kind: str
    project_id: int | None
    payload: dict[str, Any]
    person_id: int | None
    attempt: int
    token: str
    priority: int = 10
    has_worker: bool = False  # who runs it takes other work meanwhile
    listeners: list[Callable[[float, str], None]] = field(default_factory=list, repr=False)
    _last_report: float = field(default=0.0, repr=False)

    def report(self, fraction: float, message: str) -> None:
        """Store progress, at most twice a second. Raises :class:`training.types.Cancelled` when the job is to stop."""
        if time.monotonic() - self._last_report < REPORT_EVERY_S and fraction < 1:
            return
        self._last_report = time.monotonic()
        fraction = min(max(fraction, 0.0), 1.0)
        for listener in self.listeners:
            listener(fraction, message)
        values = {"fraction": fraction, "message": message[:500], "heartbeat_at": now()}
        mine = (Job.id == self.job_id, Job.lease_token == self.token, Job.state == "running")
        try:
            with write() as session:
                row = session.execute(update(Job).where(*mine).values(**values).returning(Job.cancel_requested)).first()
        except Busy:
            return  # an hour of training is not lost for one line of progress: the next report tries again
        if row is None:
            raise Cancelled("This job is no longer ours.")
        if row.cancel_requested:
            raise Cancelled("Cancelled by a person.")

    def step_aside(self) -> None:
        """Between two parts of long work that loses nothing by a pause: raises :class:`StepAside` where more urgent work waits that the
        same worker would do."""
        if not self.has_worker:
            return
        db.session.rollback()
        if self.is_awaited(Job.priority < self.priority):
            raise StepAside

    def is_awaited(self, *conditions: Any) -> bool:
        """Whether other work than training waits for the worker."""
        waiting = select(Job.id).where(
            Job.state == "queued", Job.kind.not_in(LONG_KINDS), Job.id != self.job_id, *conditions
        )
        return db.session.scalar(waiting.limit(1)) is not None

    def guard(self, session: Session) -> None:
        """Inside :func:`webapp.db.write`, before the rows that publish the result: refuse when the job was cancelled or the lease is lost."""
        mine = (Job.id == self.job_id, Job.lease_token == self.token, Job.state == "running")
        is_cancelled = session.scalar(select(Job.cancel_requested).where(*mine).with_for_update())
        if is_cancelled is None:
            raise LeaseLost(f"Job {self.job_id} was cancelled or given to another worker; its result is not used.")
        if is_cancelled:
            raise Cancelled("Cancelled by a person.")


def context_of(job: Job, token: str, *, has_worker: bool = False) -> JobContext:
    return JobContext(
        job.id, job.kind, job.project_id, dict(job.payload or {}), job.person_id, job.attempt, token, job.priority, has_worker
    )  # fmt: skip
