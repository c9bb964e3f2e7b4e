"""Do one leased job and write how it ended: the only place that turns any failure into a sentence."""

import errno
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, current_app

from retriever.types import RetrieverError
from training.artefact import DamagedArtefact
from training.tasks import load_function
from training.types import Cancelled, TrainingError
from webapp.db import write
from webapp.errors import DiskFailed, ErrataError
from webapp.health import is_alive
from webapp.jobs import service
from webapp.jobs.context import JobContext, LeaseLost, StepAside, context_of
from webapp.jobs.registry import KINDS
from webapp.jobs.waiting import waits_for
from webapp.models import Job, db

HEARTBEAT_S = 5.0
SENTENCES = (ErrataError, TrainingError, RetrieverError, DamagedArtefact)

log = logging.getLogger("errata.jobs")


def describe(error: Exception) -> str:
    """One sentence for the page; the traceback goes to the log."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk is full, so the job stopped and left nothing behind; free some space and start it again."
    if isinstance(error, MemoryError):
        return "There was not enough memory; use a smaller model or fewer passages, then start it again."
    if isinstance(error, SENTENCES):
        return str(error)
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[-1]} (details in log/worker.log)"


def _outcome(context: JobContext, function: str) -> dict[str, Any]:
    try:
        result = load_function(function)(context)
    except Cancelled:
        return {"state": "cancelled", "message": "Cancelled."}
    except StepAside:
        return {"state": "queued", "message": "Goes on when more urgent work is done."}
    except LeaseLost as error:
        return {"state": "cancelled", "message": str(error)}
    except Exception as error:  # the edge of a job: whatever happened becomes its state and text
        # A known failure is told by its sentence; the command line, which keeps no log, shows the traceback of a defect only.
        level = logging.INFO if isinstance(error, SENTENCES) else logging.ERROR
        log.log(level, "Job %s (%s) failed", context.job_id, context.kind, exc_info=True)
        return {"state": "failed", "error": describe(error)}
    return {"state": "succeeded", "result": result, "fraction": 1.0}


def execute(
    job_id: int,
    token: str,
    *,
    function: str | None = None,
    listener: Callable[[float, str], None] | None = None,
    has_worker: bool = False,
) -> bool:
    """Run a leased job to its end, or until it steps aside for work of the same worker; False when the lease is not ours. ``listener``
    hears progress as well."""
    with write() as session:
        job = service.start(session, job_id, token)
    if job is None:
        return False
    context = context_of(job, token, has_worker=has_worker)
    if listener is not None:
        context.listeners.append(listener)
    ending = _outcome(context, function or KINDS[job.kind])
    db.session.rollback()
    try:
        with write() as session:
            if ending["state"] == "queued":
                return service.set_aside(session, job_id, token, message=ending["message"])
            return service.finish(session, job_id, token, **ending)
    except DiskFailed as error:
        log.error("Job %s ended (%s), but the table does not know it: %s", job_id, ending["state"], error)
        return False


def _beat(app: Flask, job_id: int, token: str, stop: threading.Event) -> None:
    """Takes no row: reading one's columns here would use the session of the thread that runs the job."""
    while not stop.wait(HEARTBEAT_S):
        try:
            with app.app_context(), write() as session:
                if not service.heartbeat(session, job_id, token):
                    return
        except ErrataError as error:  # a full or busy disk: the next beat tries again
            log.warning("Job %s could not write its heartbeat: %s", job_id, error)


def run_here(job_id: int, *, report: Callable[[float, str], None] | None = None) -> bool:
    """Claim a queued job and run it in this process; False when it is not queued any more."""
    with write() as session:
        job = service.claim(session, job_id=job_id)
    if job is None or job.lease_token is None:
        return False
    stop = threading.Event()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    token = job.lease_token
    beating = threading.Thread(target=_beat, args=(app, job_id, token, stop), daemon=True)
    beating.start()
    try:
        return execute(job_id, token, listener=report)
    except KeyboardInterrupt:
        with write() as session:
            service.give_back(session, job_id, token, why="it was interrupted", is_fault=False)
        raise
    finally:
        stop.set()
        beating.join()


def wait(job_id: int, *, report: Callable[[float, str], None] | None = None) -> Job:
    """Until the job has ended. Runs it in this process when no worker is alive, so that the command line needs no server."""
    while True:
        job = service.job_or_404(job_id)
        if not service.is_active(job):
            return job
        has_worker = is_alive("worker")
        if report is not None:
            report(job.fraction, job.message or (waits_for(job) if has_worker else ""))
        if not has_worker:
            with write() as session:
                service.requeue_stale(session)
            if run_here(job_id, report=report):
                continue
        db.session.rollback()
        time.sleep(0.3)
