"""Work in the background and the processes that do it."""

import datetime as dt
import math
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import db, now, one_of

JOB_STATES = ("queued", "leased", "running", "succeeded", "failed", "cancelled")
ACTIVE_JOB_STATES = JOB_STATES[:3]
TELLS_FROM, TELLS_AFTER_S = 0.1, 10.0
"""Before this part is done, or these seconds have passed, nobody can say how long a job takes."""
WAITED_AT_MOST_S = 60.0
"""One that started later than this may have run before."""


class Job(db.Model):
    """Long work in the background. ``lock`` is a name only one active job may hold, such as ``train:3``."""

    __tablename__ = "job"
    __table_args__ = (
        one_of("state", JOB_STATES),
        Index(
            "job_lock_once",
            "lock",
            unique=True,
            sqlite_where=text("state IN ('queued', 'leased', 'running')"),
            postgresql_where=text("state IN ('queued', 'leased', 'running')"),
        ),
        Index("job_claim", "state", "priority", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    lock: Mapped[str | None] = mapped_column(String(80))
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(12), default="queued")
    priority: Mapped[int] = mapped_column(default=10)  # lower runs first
    attempt: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[str | None] = mapped_column(String(32))
    heartbeat_at: Mapped[dt.datetime | None]
    fraction: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str] = mapped_column(default="")
    error: Mapped[str] = mapped_column(default="")
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    result: Mapped[dict[str, Any] | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]

    @property
    def may_have_run_before(self) -> bool:
        """Before it started: after an interruption, even by stopping the server, which takes no attempt."""
        if self.started_at is None:
            return False
        return self.attempt > 1 or (self.started_at - self.created_at).total_seconds() > WAITED_AT_MOST_S

    @property
    def time_left(self) -> str:
        """How much longer it takes if it goes on as it did, in words; "" where that cannot be told: at the beginning, and where part of it
        may have been done before it started."""
        if self.state != "running" or self.started_at is None or self.fraction < TELLS_FROM:
            return ""
        took = (now() - self.started_at).total_seconds()
        if self.may_have_run_before or took < TELLS_AFTER_S:
            return ""
        minutes = math.ceil(took * (1 - self.fraction) / self.fraction / 60)
        return "less than a minute left" if minutes <= 1 else f"about {minutes} minutes left"


class Process(db.Model):
    """A running web, engine or worker, and when it was last heard of."""

    __tablename__ = "process"
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    pid: Mapped[int]
    url: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(default="")
    heartbeat_at: Mapped[dt.datetime] = mapped_column(default=now)
