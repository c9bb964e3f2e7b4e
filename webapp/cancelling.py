"""How active jobs are asked to stop: by the cancel button, and when their project is deleted."""

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from webapp.models import Job, now


def cancel_jobs(session: Session, condition: ColumnElement[bool]) -> None:
    """Queued ones end at once; running ones are asked, and their worker kills them when they do not listen."""
    ended = {"state": "cancelled", "finished_at": now(), "message": "Cancelled before it began."}
    session.execute(update(Job).where(condition, Job.state == "queued").values(ended))
    session.execute(update(Job).where(condition, Job.state.in_(("leased", "running"))).values(cancel_requested=True))
