"""Who labels which question next: one lease per question, taken by one conditional UPDATE."""

import datetime as dt
import secrets
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from webapp.models import SUPERSEDED, Label, Project, Question, UtcDateTime, now
from webapp.projects import settings as project_settings

_TRIES = 5


class Served(NamedTuple):
    """A question as its page needs it."""

    id: int
    text: str
    source: str
    round: int
    answer_id: int | None


# The queue is asked for every label, and building these statements, or filling objects from their rows, would cost more than
# running them: they are made once, and of tables instead of classes.
_moment: Any = bindparam("moment", type_=UtcDateTime)
_person_id: Any = bindparam("person")
_project_id: Any = bindparam("project")
_question, _label = Question.__table__.c, Label.__table__.c
_is_free = _question.lease_expires_at.is_(None) | (_question.lease_expires_at <= _moment)
_SERVED = tuple(_question[name] for name in Served._fields)

# The person has a current label on the question in its round; a skip counts, so that it is not served to them again.
_has_decided = (
    select(_label.id)
    .where(
        _label.question_id == _question.id,
        _label.person_id == _person_id,
        _label.round == _question.round,
        _label.verdict != "undo",
        ~SUPERSEDED,
    )
    .exists()
)
_HELD = (
    select(*_SERVED)
    .where(
        _question.lease_person_id == _person_id,
        # The sum hides the project from SQLite's planner, which would walk the whole queue instead of the few leases.
        _question.project_id + 0 == _project_id,
        _question.state == "open",
        _question.lease_expires_at > _moment,
        ~_has_decided,
    )
    .order_by(_question.priority, _question.id)
    .limit(1)
)
_FRONT = (
    select(_question.id)
    .where(_question.project_id == _project_id, _question.state == "open", _is_free, ~_has_decided)
    .order_by(_question.priority, _question.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_LEASE = (
    update(Question.__table__)
    .values(
        lease_person_id=_person_id,
        lease_token=bindparam("token"),
        lease_expires_at=bindparam("until", type_=UtcDateTime),
    )
    .returning(*_SERVED)
)
# SQLite finds the front and writes its lease under one lock, where the last two conditions only say again what the sub-select
# found: without them no test fails there. PostgreSQL locks rows, not the table: a row that changed between the sub-select's snapshot
# and its lock is judged by these conditions as it is then.
_TAKE_FRONT = _LEASE.where(_question.id == _FRONT.scalar_subquery(), _question.state == "open", _is_free)
_TAKE_THIS = _LEASE.where(
    _question.id == bindparam("question"),
    _question.state == "open",
    _is_free | (_question.lease_person_id == _person_id),
)


def _who(project: Project, person: Any) -> dict[str, Any]:
    return {"project": project.id, "person": person.id, "moment": now()}


def _lease(project: Project, person: Any) -> dict[str, Any]:
    who = _who(project, person)
    lease_s = project_settings.read(project).lease_s
    return who | {"token": secrets.token_hex(16), "until": who["moment"] + dt.timedelta(seconds=lease_s)}


def held_question(session: Session, project: Project, person: Any) -> Served | None:
    """The question this person holds: the one of the queue's front if they hold several."""
    return _served(session.execute(_HELD, _who(project, person)).first())


def _served(row: Any) -> Served | None:
    return Served._make(row) if row is not None else None


def take_next(session: Session, project: Project, person: Any) -> Served | None:
    """The person's own unexpired lease, or the front of the queue leased to them; None when nothing is left for them."""
    reader = session.connection()
    held = _served(reader.execute(_HELD, _who(project, person)).first())
    if held is not None:
        return held
    for _ in range(_TRIES):
        taken = _served(reader.execute(_TAKE_FRONT, _lease(project, person)).first())
        if taken is not None or not is_any_left(session, project, person):
            return taken
    return None


def is_any_left(session: Session, project: Project, person: Any) -> bool:
    """Whether :func:`take_next` would find a question now."""
    return session.scalar(_FRONT, _who(project, person)) is not None


def lease_question(session: Session, question: Question, person: Any) -> bool:
    """Lease this very question, or renew one's own lease on it; False when it is done or somebody else holds it."""
    project = session.get_one(Project, question.project_id)
    is_leased = session.scalar(_TAKE_THIS, _lease(project, person) | {"question": question.id}) is not None
    session.expire(question)
    return is_leased


def release_lease(session: Session, question: Question, person: Any) -> None:
    """Give the question back, if this person still holds it."""
    session.execute(
        update(Question)
        .where(Question.id == question.id, Question.lease_person_id == person.id)
        .values(lease_person_id=None, lease_token=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )
