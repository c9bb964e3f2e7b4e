"""What a queued job waits for, in words: the job that goes before it, or a worker, with the command that starts one."""

from typing import Any

from sqlalchemy import and_, case, or_, select

from webapp.health import MENDS, is_alive
from webapp.jobs.registry import LONG_KINDS, name_of
from webapp.models import ACTIVE_JOB_STATES, Job, Project, db


def waits_for(job: Job) -> str:
    """A sentence while ``job`` is queued, else ""."""
    if job.state != "queued":
        return ""
    if not is_alive("worker"):
        return f"No worker is running: start one with `{MENDS['worker']}`."
    before = _before(job)
    if before is None:
        return "The worker begins it in a moment."
    where = (
        "" if before.name is None else " in this project" if before.project == job.project_id else f" in {before.name}"
    )
    return f"{name_of(before.kind).in_sentence}{where} {'makes way for it' if before.makes_way else 'goes first'}."


def _before(job: Job) -> Any:
    """The job that the worker has in hand where ``job`` could be, else the next one it takes before. One in hand that stops for ``job`` counts
    only where no other goes before: answering ahead does, for what is more urgent, and to answer again for anything."""
    is_long = Job.kind.in_(LONG_KINDS)
    in_hand = Job.state != "queued"
    stops = or_(Job.priority > job.priority, Job.payload["refresh"].as_boolean())
    makes_way = case((and_(in_hand, Job.kind == "predict", stops), 1), else_=0)
    sooner = or_(Job.priority < job.priority, and_(Job.priority == job.priority, Job.id < job.id))
    statement = (
        select(Job.kind, Project.id.label("project"), Project.name, makes_way.label("makes_way"))
        .outerjoin(Project, Project.id == Job.project_id)
        .where(Job.id != job.id, Job.state.in_(ACTIVE_JOB_STATES), is_long if job.kind in LONG_KINDS else ~is_long)
        .where(or_(in_hand, sooner)).order_by(makes_way, case((in_hand, 0), else_=1), Job.priority, Job.id).limit(1)
    )  # fmt: skip
    return db.session.execute(statement).first()
