"""Asking for the queue to be ordered anew, for whoever changes what its order depends on."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.models import Job, Question


def request_order(session: Session, project_id: int) -> None:
    """A job ``order`` of the project; one that has not begun yet will see the change as well.

    Without a question there is nothing to order: those that come later are ordered when they are answered, and no job stands before that.
    """
    if session.scalar(select(Question.id).where(Question.project_id == project_id).limit(1)) is None:
        return
    waiting = select(Job.id).where(Job.project_id == project_id, Job.kind == "order", Job.state == "queued")
    if session.scalar(waiting.limit(1)) is None:
        session.add(Job(kind="order", project_id=project_id, payload={}, priority=15))
