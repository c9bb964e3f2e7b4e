"""The job table: enqueue with its cause, claim by one conditional UPDATE, finish only with the lease in hand."""

import datetime as dt
import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.audit import record
from webapp.cancelling import cancel_jobs
from webapp.errors import Busy, NotFound
from webapp.models import ACTIVE_JOB_STATES, Job, db, now

STALE_AFTER = dt.timedelta(seconds=30)
MAX_ATTEMPTS = 3


def enqueue(
    session: Session,
    kind: str,
    *,
    project_id: int | None,
    payload: dict[str, Any],
    lock: str | None = None,
    person: Any = None,
    priority: int = 10,
) -> Job:
    """A queued job, in the transaction of its cause. Raises :class:`Busy` when an active job holds ``lock``."""
    from webapp.jobs.registry import KINDS

    if kind not in KINDS:
        raise KeyError(f"{kind!r} is not a kind of job; known are {', '.join(KINDS)}.")
    if lock is not None:
        _refuse_if_locked(session, lock)
    job = Job(
        kind=kind,
        project_id=project_id,
        payload=payload,
        lock=lock,
        priority=priority,
        person_id=person.id if person is not None else None,
    )
    session.add(job)
    try:
        session.flush()
    except IntegrityError as error:
        raise Busy("The same work was asked for a moment ago; wait until it is done.") from error
    return job


def _refuse_if_locked(session: Session, lock: str) -> None:
    holder = session.scalar(select(Job).where(Job.lock == lock, Job.state.in_(ACTIVE_JOB_STATES)))
    if holder is not None:
        doing = "waiting" if holder.state == "queued" else "running"
        raise Busy(
            f"This is {doing} already (job {holder.id}, {holder.kind}); wait for it or cancel it first.", holder.id
        )


def get_job(job_id: int) -> Job | None:
    return db.session.get(Job, job_id, populate_existing=True)


def job_or_404(job_id: int) -> Job:
    job = get_job(job_id)
    if job is None:
        raise NotFound("There is no such job; the project's home page shows the ones that run.")
    return job


def is_active(job: Job) -> bool:
    return job.state in ACTIVE_JOB_STATES


def active_jobs(project_id: int) -> list[Job]:
    query = select(Job).where(Job.project_id == project_id, Job.state.in_(ACTIVE_JOB_STATES)).order_by(Job.id)
    return list(db.session.scalars(query))


def cancel(session: Session, job: Job, *, person: Any = None) -> None:
    """A queued job ends at once; a running one is asked to stop and is killed when it does not."""
    cancel_jobs(session, Job.id == job.id)
    record(
        session,
        "job.cancel",
        project_id=job.project_id,
        person_id=person.id if person else None,
        job=job.id,
        kind=job.kind,
    )


def claim(session: Session, *, kinds: Sequence[str] | None = None, job_id: int | None = None) -> Job | None:
    """Take the next queued job of these kinds, or this one; at most one worker gets it."""
    wanted = select(Job.id).where(Job.state == "queued").order_by(Job.priority, Job.id).limit(1)
    if kinds is not None:
        wanted = wanted.where(Job.kind.in_(kinds))
    if job_id is not None:
        wanted = wanted.where(Job.id == job_id)
    taken = (
        update(Job)
        .where(Job.id == wanted.with_for_update(skip_locked=True).scalar_subquery(), Job.state == "queued")
        .values(state="leased", attempt=Job.attempt + 1, lease_token=secrets.token_hex(16), heartbeat_at=now())
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    claimed = session.execute(taken).scalar()
    return None if claimed is None else session.get(Job, claimed, populate_existing=True)


def start(session: Session, job_id: int, token: str) -> Job | None:
    """leased → running, for whoever holds the lease; None when it is lost."""
    begun = {
        "state": "running",
        "started_at": now(),
        "heartbeat_at": now(),
        "error": "",
        "message": "",
        "fraction": 0.0,
    }
    mine = (Job.id == job_id, Job.lease_token == token, Job.state == "leased")
    if not _changed(session, mine, begun):
        return None
    return session.get(Job, job_id, populate_existing=True)


def _changed(session: Session, where: tuple[Any, ...], values: dict[str, Any]) -> bool:
    statement = update(Job).where(*where).values(values).returning(Job.id).execution_options(synchronize_session=False)
    return session.execute(statement).first() is not None


def _mine(job_id: int, token: str) -> tuple[Any, ...]:
    return (Job.id == job_id, Job.lease_token == token, Job.state.in_(("leased", "running")))


def heartbeat(session: Session, job_id: int, token: str) -> bool:
    """False when the lease is lost: stop the work, write nothing."""
    return _changed(session, _mine(job_id, token), {"heartbeat_at": now()})


def finish(session: Session, job_id: int, token: str, *, state: str, **values: Any) -> bool:
    """Write the end of a job (``succeeded``, ``failed`` or ``cancelled``); False when the lease is lost and nothing was written."""
    return _changed(session, _mine(job_id, token), {"state": state, "finished_at": now(), **values})


def set_aside(session: Session, job_id: int, token: str, *, message: str) -> bool:
    """Back into the queue because more urgent work waits; costs no attempt. One that is to stop ends here."""
    _changed(
        session, (*_mine(job_id, token), Job.cancel_requested),
        {"state": "cancelled", "finished_at": now(), "message": "Cancelled."},
    )  # fmt: skip
    again = {"state": "queued", "lease_token": None, "attempt": Job.attempt - 1, "message": message}
    return _changed(session, _mine(job_id, token), again)


def give_back(session: Session, job_id: int, token: str, *, why: str, is_fault: bool = True) -> bool:
    """A job's process ended without a word: queue the job again, or fail it after its last attempt.

    Stopping the server is nobody's fault and costs no attempt.
    """
    job = session.scalar(select(Job).where(*_mine(job_id, token)).execution_options(populate_existing=True))
    if job is not None and not is_fault:
        _changed(session, _mine(job_id, token), {"attempt": max(job.attempt - 1, 0)})
        session.refresh(job)
    return job is not None and _requeue(session, job, why)


def _requeue(session: Session, job: Job, why: str) -> bool:
    same_lease = (Job.id == job.id, Job.lease_token == job.lease_token, Job.state.in_(("leased", "running")))
    if job.cancel_requested:
        return _changed(session, same_lease, {"state": "cancelled", "finished_at": now(), "message": "Cancelled."})
    if job.attempt >= MAX_ATTEMPTS:
        error = f"It stopped {job.attempt} times without finishing ({why}) and was given up; see log/worker.log."
        return _changed(session, same_lease, {"state": "failed", "finished_at": now(), "error": error})
    again = {"state": "queued", "lease_token": None, "message": f"Starting again: {why}."}
    return _changed(session, same_lease, again)


def requeue_stale(session: Session) -> int:
    """Jobs whose worker has not been heard of for 30 s go back into the queue; returns how many."""
    stale = select(Job).where(Job.state.in_(("leased", "running")), Job.heartbeat_at < now() - STALE_AFTER)
    found = list(session.scalars(stale.execution_options(populate_existing=True)))
    return sum(_requeue(session, job, "its worker was not heard of for 30 seconds") for job in found)
