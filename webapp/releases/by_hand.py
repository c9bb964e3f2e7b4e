"""Promotion and rollback by a person, and what both cause: the queue is answered again by the release now in service."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from training.tasks import get_task
from webapp.jobs.service import enqueue
from webapp.models import AuditEvent, Iteration, Job, Person, Project, Release, db
from webapp.releases import service


@dataclass(frozen=True)
class Line:
    """One release as the page shows it. ``reason`` and ``promoted_by`` are of its latest promotion."""

    release: Release
    iteration: int | None
    metrics: tuple[tuple[str, float | None], ...]
    promoted_by: str
    reason: str


def request_answers(session: Session, project: Project) -> None:
    """Answer the queue ahead of time; a job that has not begun yet will see the new release or questions as well."""
    waiting = (Job.project_id == project.id, Job.kind == "predict", Job.state == "queued")
    if session.scalar(select(Job.id).where(*waiting).limit(1)) is None:
        enqueue(session, "predict", project_id=project.id, payload={}, priority=20)


def promote(session: Session, project: Project, release: Release, *, person: Any, reason: str) -> Release | None:
    previous = service.promote(session, project, release, person=person, reason=reason)
    request_answers(session, project)
    return previous


def rollback(session: Session, project: Project, *, person: Any, reason: str) -> Release | None:
    previous = service.rollback(session, project, person=person, reason=reason)
    request_answers(session, project)
    return previous


def describe(project: Project) -> list[Line]:
    releases = db.session.scalars(
        select(Release)
        .options(joinedload(Release.index))
        .where(Release.project_id == project.id)
        .order_by(Release.number.desc())
    )
    numbers = {
        row[0]: row[1]
        for row in db.session.execute(select(Iteration.id, Iteration.number).where(Iteration.project_id == project.id))
    }
    promotions = _promotions(project)
    names = get_task(project.task).METRICS
    return [
        Line(
            release, numbers.get(release.iteration_id) if release.iteration_id else None,
            tuple((name, (release.metrics or {}).get(key)) for key, name in names.items() if key in (release.metrics or {})),
            *promotions.get(release.number, ("", "")),
        )
        for release in releases
    ]  # fmt: skip


def _promotions(project: Project) -> dict[int, tuple[str, str]]:
    statement = (
        select(AuditEvent.detail, Person.name).outerjoin(Person, Person.id == AuditEvent.person_id)
        .where(AuditEvent.project_id == project.id, AuditEvent.action == "release.promote").order_by(AuditEvent.id)
    )  # fmt: skip
    rows = db.session.execute(statement)
    return {
        detail["release"]: (name or "Errata", detail.get("reason", "")) for detail, name in rows if "release" in detail
    }
