"""Asking for the index to be brought up to the documents: one job a project at a time."""

from typing import Any

from sqlalchemy.orm import Session

from webapp.errors import Busy
from webapp.jobs.service import enqueue
from webapp.models import Job, Project


def lock_name(project_id: int) -> str:
    return f"index:{project_id}"


def enqueue_index(session: Session, project: Project, *, person: Any = None) -> Job:
    """Raises :class:`Busy` when one is queued or running."""
    return enqueue(session, "index", project_id=project.id, payload={}, lock=lock_name(project.id), person=person)


def request_index(session: Session, project: Project, *, person: Any = None) -> Job | None:
    """Index soon: a job that waits already will see the change; one that runs looks again before it ends."""
    try:
        return enqueue_index(session, project, person=person)
    except Busy:
        return None
