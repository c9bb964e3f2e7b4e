"""What a queued job waits for, in words: the job that goes before it, or a worker, with the command that starts one."""

from sqlalchemy import and_, case, or_, select

from webapp.health import MENDS, is_alive
from webapp.jobs.registry import LONG_KINDS
from webapp.models import ACTIVE_JOB_STATES, Job, Project, db

BEFORE = {
    "import": "An import",
    "index": "A new index",
    "predict": "Preparing answers",
    "order": "Ordering the queue",
    "train": "An iteration",
    "export": "An export",
}
"""Kind -> the beginning of the sentence that ends in "goes first"."""


def waits_for(job: Job) -> str:
    """A sentence while ``job`` is queued, else ""."""
    if job.state != "queued":
        return ""
    if not is_alive("worker"):
        return f"No worker is running: start one with `{MENDS['worker']}`."
    before = _before(job)
    if before is None:
        return "The worker begins it in a moment."
    kind, project_id, name = before
    where = "" if name is None else " in this project" if project_id == job.project_id else f" in {name}"
    return f"{BEFORE.get(kind, kind)}{where} goes first."


def _before(job: Job) -> tuple[str, int | None, str | None] | None:
    """Kind and project of the job that the worker has in hand where ``job`` could be, else of the next one it takes before."""
    is_long = Job.kind.in_(LONG_KINDS)
    is_queued = case((Job.state == "queued", 1), else_=0)
    sooner = or_(Job.priority < job.priority, and_(Job.priority == job.priority, Job.id < job.id))
    statement = (
        select(Job.kind, Project.id, Project.name).outerjoin(Project, Project.id == Job.project_id)
        .where(Job.id != job.id, Job.state.in_(ACTIVE_JOB_STATES), is_long if job.kind in LONG_KINDS else ~is_long)
        .where(or_(Job.state != "queued", sooner)).order_by(is_queued, Job.priority, Job.id).limit(1)
    )  # fmt: skip
    row = db.session.execute(statement).first()
    return None if row is None else (row[0], row[1], row[2])
