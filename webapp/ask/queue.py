"""Who labels which question next: one lease per question, taken by one conditional UPDATE."""

import datetime as dt
import secrets
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from webapp.models import Label, Project, Question, now
from webapp.projects import settings as project_settings

_TRIES = 5

# Made once: building an alias costs more than the query it is in, and the queue is asked for every label.
_newer = aliased(Label)
_superseded = select(_newer.id).where(_newer.supersedes_id == Label.id).exists()


def _is_free(moment: dt.datetime) -> Any:
    return Question.lease_expires_at.is_(None) | (Question.lease_expires_at <= moment)


def _has_decided(person_id: int) -> Any:
    """This person has a current label on the question in its round; a skip counts, so that it is not served to them again."""
    mine = select(Label.id).where(
        Label.question_id == Question.id,
        Label.person_id == person_id,
        Label.round == Question.round,
        Label.verdict != "undo",
        ~_superseded,
    )
    return mine.exists()


def _lease(project: Project, person_id: int, moment: dt.datetime) -> dict[str, Any]:
    lease_s = project_settings.read(project).lease_s
    expires_at = moment + dt.timedelta(seconds=lease_s)
    return {"lease_person_id": person_id, "lease_token": secrets.token_hex(16), "lease_expires_at": expires_at}


def held_question(session: Session, project: Project, person: Any) -> Question | None:
    """The question this person holds: the one of the queue's front if they hold several."""
    query = select(Question).where(
        Question.lease_person_id == person.id, Question.project_id == project.id,
        Question.state == "open", Question.lease_expires_at > now(), ~_has_decided(person.id),
    )  # fmt: skip
    return session.scalar(query.order_by(Question.priority, Question.id).limit(1))


def take_next(session: Session, project: Project, person: Any) -> Question | None:
    """The person's own unexpired lease, or the front of the queue leased to them; None when nothing is left for them."""
    held = held_question(session, project, person)
    if held is not None:
        return held
    for _ in range(_TRIES):
        taken = _take(session, project, person, question_id=_front(project, person).scalar_subquery())
        if taken is not None or session.scalar(_front(project, person)) is None:
            return taken
    return None


def is_any_left(session: Session, project: Project, person: Any) -> bool:
    """Whether :func:`take_next` would find a question now."""
    return session.scalar(_front(project, person)) is not None


def _front(project: Project, person: Any) -> Any:
    return (
        select(Question.id)
        .where(Question.project_id == project.id, Question.state == "open", _is_free(now()), ~_has_decided(person.id))
        .order_by(Question.priority, Question.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _take(session: Session, project: Project, person: Any, *, question_id: Any) -> Question | None:
    """The lease, if the question is still free at the moment of writing; None when another process got there first."""
    moment = now()
    taken = (
        update(Question)
        .where(Question.id == question_id, Question.state == "open", _is_free(moment) | (Question.lease_person_id == person.id))
        .values(_lease(project, person.id, moment))
        .returning(Question)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return session.scalar(taken)


def lease_question(session: Session, question: Question, person: Any) -> bool:
    """Lease this very question, or renew one's own lease on it; False when it is done or somebody else holds it."""
    project = session.get_one(Project, question.project_id)
    return _take(session, project, person, question_id=question.id) is not None


def release_lease(session: Session, question: Question, person: Any) -> None:
    """Give the question back, if this person still holds it."""
    session.execute(
        update(Question)
        .where(Question.id == question.id, Question.lease_person_id == person.id)
        .values(lease_person_id=None, lease_token=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )


def release_all(session: Session, person: Any) -> None:
    """Give back everything this person holds, as when they sign out."""
    session.execute(
        update(Question)
        .where(Question.lease_person_id == person.id)
        .values(lease_person_id=None, lease_token=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )
