"""Who labels which question next: one lease per question, taken by one conditional UPDATE."""

import datetime as dt
import secrets
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session, aliased

from webapp.models import Label, Project, Question, UtcDateTime, now
from webapp.projects import settings as project_settings

_TRIES = 5

# The queue is asked for every label, and building these statements would cost more than running them: they are made once.
_moment: Any = bindparam("moment", type_=UtcDateTime)
_person_id: Any = bindparam("person")
_project_id: Any = bindparam("project")
_newer = aliased(Label)
_superseded = select(_newer.id).where(_newer.supersedes_id == Label.id).exists()
_is_free = Question.lease_expires_at.is_(None) | (Question.lease_expires_at <= _moment)

# The person has a current label on the question in its round; a skip counts, so that it is not served to them again.
_has_decided = (
    select(Label.id)
    .where(
        Label.question_id == Question.id,
        Label.person_id == _person_id,
        Label.round == Question.round,
        Label.verdict != "undo",
        ~_superseded,
    )
    .exists()
)
_HELD = (
    select(Question)
    .where(
        Question.lease_person_id == _person_id,
        # The sum hides the project from SQLite's planner, which would walk the whole queue instead of the few leases.
        Question.project_id + 0 == _project_id,
        Question.state == "open",
        Question.lease_expires_at > _moment,
        ~_has_decided,
    )
    .order_by(Question.priority, Question.id)
    .limit(1)
)
_FRONT = (
    select(Question.id)
    .where(Question.project_id == _project_id, Question.state == "open", _is_free, ~_has_decided)
    .order_by(Question.priority, Question.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_LEASE = (
    update(Question)
    .values(
        lease_person_id=_person_id,
        lease_token=bindparam("token"),
        lease_expires_at=bindparam("until", type_=UtcDateTime),
    )
    .returning(Question)
    .execution_options(synchronize_session=False, populate_existing=True)
)
_TAKE_FRONT = _LEASE.where(Question.id == _FRONT.scalar_subquery(), Question.state == "open", _is_free)
_TAKE_THIS = _LEASE.where(
    Question.id == bindparam("question"), Question.state == "open", _is_free | (Question.lease_person_id == _person_id)
)


def _who(project: Project, person: Any) -> dict[str, Any]:
    return {"project": project.id, "person": person.id, "moment": now()}


def _lease(project: Project, person: Any) -> dict[str, Any]:
    who = _who(project, person)
    lease_s = project_settings.read(project).lease_s
    return who | {"token": secrets.token_hex(16), "until": who["moment"] + dt.timedelta(seconds=lease_s)}


def held_question(session: Session, project: Project, person: Any) -> Question | None:
    """The question this person holds: the one of the queue's front if they hold several."""
    return session.scalar(_HELD, _who(project, person))


def take_next(session: Session, project: Project, person: Any) -> Question | None:
    """The person's own unexpired lease, or the front of the queue leased to them; None when nothing is left for them."""
    held = held_question(session, project, person)
    if held is not None:
        return held
    for _ in range(_TRIES):
        taken = session.scalar(_TAKE_FRONT, _lease(project, person))
        if taken is not None or not is_any_left(session, project, person):
            return taken
    return None


def is_any_left(session: Session, project: Project, person: Any) -> bool:
    """Whether :func:`take_next` would find a question now."""
    return session.scalar(_FRONT, _who(project, person)) is not None


def lease_question(session: Session, question: Question, person: Any) -> bool:
    """Lease this very question, or renew one's own lease on it; False when it is done or somebody else holds it."""
    project = session.get_one(Project, question.project_id)
    return session.scalar(_TAKE_THIS, _lease(project, person) | {"question": question.id}) is not None


def release_lease(session: Session, question: Question, person: Any) -> None:
    """Give the question back, if this person still holds it."""
    session.execute(
        update(Question)
        .where(Question.id == question.id, Question.lease_person_id == person.id)
        .values(lease_person_id=None, lease_token=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )
