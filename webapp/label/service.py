"""The submission promise: a label once sent is there exactly once, a stale form overwrites nothing, every change is a new row."""

import datetime as dt
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.ask import queue
from webapp.errors import Forbidden, Invalid, NotFound, Stale
from webapp.label import blind
from webapp.label.difference import edit_distance
from webapp.label.submission import Shown, Submission, clean, decision_of, shown_answer
from webapp.models import Label, Project, Question, UtcDateTime, now
from webapp.projects import settings as project_settings

UNDO_LAST = 10

# Asked for every label, and building them, or filling objects from their rows, costs more than running them: they are made once,
# and of tables instead of classes.
_label = Label.__table__.c
_newer = Label.__table__.alias().c
SUPERSEDED = select(_newer.id).where(_newer.supersedes_id == _label.id).exists()
_in_round = (_label.question_id == bindparam("question"), _label.round == bindparam("round"))
_NEWEST = (
    select(_label.id)
    .where(*_in_round, _label.person_id == bindparam("person"))
    .order_by(_label.version.desc())
    .limit(1)
)
_COUNTED = select(func.count()).where(*_in_round, _label.verdict.not_in(("skip", "undo")), ~SUPERSEDED)
_SUBMITTED = select(_label.id).where(_label.submission_id == bindparam("submission"))
_QUESTION = select(Question).where(Question.id == bindparam("question")).execution_options(populate_existing=True)
_SETTLED = (
    update(Question.__table__)
    .where(Question.__table__.c.id == bindparam("question"))
    .values(
        label_count=bindparam("count"), state=bindparam("next_state"), lease_person_id=bindparam("holder"),
        lease_token=bindparam("token"), lease_expires_at=bindparam("until", type_=UtcDateTime),
    )
)  # fmt: skip

BLIND = (
    "This question comes without the model's answer, so there is none to accept or to call wrong; write the answer yourself, or say "
    "that the passages do not have it."
)
CHANGED = "You decided this question already, in another tab or before going back, so nothing was overwritten."


def current_labels(project_id: int) -> Select[tuple[Label]]:
    """A select of the rows that count: superseded by nobody, and no undo."""
    return select(Label).where(
        Label.project_id == project_id,
        Label.verdict != "undo",
        ~SUPERSEDED,
    )


def newest_label(session: Session, question: Question | queue.Served, person_id: int) -> Label | None:
    """The end of this person's chain on the question, an undo included."""
    return _found(session, _NEWEST, {"question": question.id, "person": person_id, "round": question.round})


def _found(session: Session, query: Select[tuple[int]], values: dict[str, Any]) -> Label | None:
    """The label whose id ``query`` finds: mostly there is none, and no object is made."""
    label_id = session.scalar(query, values)
    return session.get(Label, label_id) if label_id is not None else None


def own_label(session: Session, project: Project, person_id: int, label_id: int | None) -> Label | None:
    label = session.get(Label, label_id) if label_id is not None else None
    return label if label is not None and (label.project_id, label.person_id) == (project.id, person_id) else None


def submit(session: Session, submission: Submission) -> Label:
    """Store a decision. The same submission again returns its first result.

    Raises :class:`Stale` when the person decided the question since the form was rendered, :class:`Invalid` for bad input.
    A decision that comes after the lease had passed to somebody else is kept, marked ``is_late``.
    """
    question = session.scalar(_QUESTION, {"question": submission.question_id})
    if question is None or submission.project_id not in (None, question.project_id):
        raise NotFound(
            "There is no such question any more, so the decision could not be saved; go on with the next one."
        )
    shown, is_blind = shown_answer(session, submission, question), _is_blind(session, submission, question)
    submission = clean(session, submission, question, None if is_blind else shown)
    first = _found(session, _SUBMITTED, {"submission": submission.submission_id})
    if first is not None:
        return _replayed(first, submission)
    newest = newest_label(session, question, submission.person_id)
    if submission.version != (newest.version if newest else 0):
        raise Stale(CHANGED, newest.id if newest else None)
    label = _append(session, submission, question=question, newest=newest, shown=shown, is_blind=is_blind)
    settle(session, question, person_id=submission.person_id)
    return label


def _is_blind(session: Session, submission: Submission, question: Question) -> bool:
    """Whether the page hid the model's answer: worked out again here, a form has no say in it."""
    if not submission.is_from_page or submission.answer_id is None:
        return False
    project = session.get_one(Project, question.project_id)
    hidden = blind.is_blind(project, question, submission.person_id, version=submission.version)
    if hidden and decision_of(submission.verdict, submission.reject_reason) in blind.UNFIT:
        raise Invalid(BLIND)
    return hidden


def edit(session: Session, submission: Submission) -> Label:
    """A changed mind: a new row that supersedes the old one. The same promise as :func:`submit`."""
    return submit(session, submission)


def undo(session: Session, label_id: int, *, person: Any, submission_id: str) -> Label:
    """Take back one of one's own last ten decisions: a row ``undo``; the question is open again and, if free, leased to the person."""
    first = _found(session, _SUBMITTED, {"submission": submission_id})
    if first is not None and (first.verdict, first.supersedes_id, first.person_id) == ("undo", label_id, person.id):
        return first
    label = session.get(Label, label_id, populate_existing=True)
    if label is None:
        raise NotFound("There is no such decision to undo.")
    if label.person_id != person.id:
        raise Forbidden("Only the person who decided can undo it; label the question yourself as a second opinion.")
    recent = _last_ids(session, label.project_id, person.id)
    if label.id not in recent:
        newer = session.scalar(select(Label.id).where(Label.supersedes_id == label.id))
        if newer is not None:
            raise Stale("This decision was changed or undone already; nothing was done.", newer)
        raise Invalid(f"Only the last {UNDO_LAST} decisions can be undone; edit older ones on the page of labels.")
    question = session.get_one(Question, label.question_id, populate_existing=True)
    taken_back = Submission(question.id, person.id, submission_id, label.version, "undo", answer_id=label.answer_id)
    row = _append(session, taken_back, question=question, newest=label)
    settle(session, question, person_id=person.id)
    queue.lease_question(session, question, person)
    return row


def _last_ids(session: Session, project_id: int, person_id: int) -> list[int]:
    mine = current_labels(project_id).where(Label.person_id == person_id).with_only_columns(Label.id)
    return list(session.scalars(mine.order_by(Label.id.desc()).limit(UNDO_LAST)))


def _replayed(first: Label, submission: Submission) -> Label:
    """The first result; but a form sent again with other content is an edit of what was saved, and no one may lose it unseen."""
    if first.person_id != submission.person_id or first.question_id != submission.question_id:
        raise Invalid("This form belongs to another decision, so nothing was saved; reload the page and decide again.")
    sent = ("verdict", "reject_reason", "text", "passage_id", "start", "end", "reason")
    if any(getattr(first, name) != getattr(submission, name) for name in sent):
        raise Stale(CHANGED, first.id)
    return first


def _append(
    session: Session, submission: Submission, *, question: Question, newest: Label | None, shown: Shown | None = None,
    is_blind: bool = False,
) -> Label:  # fmt: skip
    label = Label(
        project_id=question.project_id, question_id=question.id, person_id=submission.person_id, round=question.round,
        answer_id=submission.answer_id, version=(newest.version if newest else 0) + 1,
        supersedes_id=newest.id if newest else None, submission_id=submission.submission_id, verdict=submission.verdict,
        reject_reason=submission.reject_reason, text=submission.text, passage_id=submission.passage_id,
        start=submission.start, end=submission.end, reason=submission.reason, seconds=submission.seconds,
        edit_distance=edit_distance(shown.text if shown else "", submission.text) if submission.verdict == "correct" else 0,
        is_blind=is_blind,
        is_late=newest is None and _came_late(session, question, submission.person_id),
    )  # fmt: skip
    session.add(label)
    try:
        session.flush()
    except (
        IntegrityError
    ) as error:  # another process wrote the same version or submission between our look and our write
        raise Stale(CHANGED, newest.id if newest else None) from error
    return label


def _came_late(session: Session, question: Question, person_id: int) -> bool:
    """The lease had passed on: somebody else holds the question now, or has labelled it as often as it should be."""
    held_by_other = question.lease_person_id not in (None, person_id) and _is_ahead(question.lease_expires_at)
    return held_by_other or question.state == "done"


def _is_ahead(moment: dt.datetime | None) -> bool:
    return moment is not None and moment > now()


def settle(session: Session, question: Question, *, person_id: int) -> None:
    """After a new row: count the current labels anew, close or open the question, and end this person's lease on it."""
    count = session.scalar(_COUNTED, {"question": question.id, "round": question.round}) or 0
    overlap = project_settings.read(session.get_one(Project, question.project_id)).overlap
    is_mine = question.lease_person_id == person_id
    values = {
        "question": question.id, "count": count, "next_state": "done" if count >= overlap else "open",
        "holder": None if is_mine else question.lease_person_id, "token": None if is_mine else question.lease_token,
        "until": None if is_mine else question.lease_expires_at,
    }  # fmt: skip
    session.execute(_SETTLED, values)
    session.expire(question)
