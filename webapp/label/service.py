"""The submission promise: a label once sent is there exactly once, a stale form overwrites nothing, every change is a new row."""

import datetime as dt
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, case, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.ask import queue
from webapp.errors import Forbidden, Invalid, NotFound, Stale
from webapp.label import blind
from webapp.label.difference import edit_distance
from webapp.label.submission import Shown, Submission, clean, decision_of, shown_answer
from webapp.models import SUPERSEDED, Label, Project, Question, UtcDateTime, now
from webapp.projects import settings as project_settings

UNDO_LAST = 10

# Asked for every label, and building them, or filling objects from their rows, costs more than running them: they are made once,
# and of tables instead of classes.
_label = Label.__table__.c
_in_round = (_label.question_id == bindparam("question"), _label.round == bindparam("round"))
_NEWEST = (
    select(_label.id)
    .where(*_in_round, _label.person_id == bindparam("person"))
    .order_by(_label.version.desc())
    .limit(1)
)
_SUBMITTED = select(_label.id).where(_label.submission_id == bindparam("submission"))
_KNOWN = select(_SUBMITTED.scalar_subquery(), _NEWEST.scalar_subquery())
_question = Question.__table__.c
_QUESTION = select(
    *(_question[name] for name in ("id", "project_id", "source", "round", "state")),
    *(_question[name] for name in ("lease_person_id", "lease_token", "lease_expires_at")),
).where(_question.id == bindparam("question"))
_APPEND = Label.__table__.insert().returning(_label.id)
_counted = (
    select(func.count())
    .where(
        _label.question_id == _question.id,
        _label.round == _question.round,
        _label.verdict.not_in(("skip", "undo")),
        ~SUPERSEDED,
    )
    .scalar_subquery()
)
_SETTLED = (
    update(Question.__table__)
    .where(_question.id == bindparam("question"))
    .values(
        label_count=_counted, state=case((_counted >= bindparam("overlap"), "done"), else_="open"),
        lease_person_id=bindparam("holder"), lease_token=bindparam("token"),
        lease_expires_at=bindparam("until", type_=UtcDateTime),
    )
    .returning(_question.state)
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
    label_id = session.connection().scalar(query, values)
    return session.get(Label, label_id) if label_id is not None else None


def own_label(session: Session, project: Project, person_id: int, label_id: int | None) -> Label | None:
    label = session.get(Label, label_id) if label_id is not None else None
    return label if label is not None and (label.project_id, label.person_id) == (project.id, person_id) else None


class Saved(NamedTuple):
    """A stored decision, as its page needs it. ``closed``: 1 when it closed its question, -1 when it opened it again."""

    id: int
    verdict: str
    reject_reason: str | None
    is_blind: bool
    answer_id: int | None
    closed: int = 0


def submit(session: Session, submission: Submission) -> Label:
    """Store a decision: :func:`store` for whoever wants the label itself."""
    saved = store(session, submission)
    session.expire(session.get_one(Question, submission.question_id))
    return session.get_one(Label, saved.id)


def store(session: Session, submission: Submission) -> Saved:
    """Store a decision. The same submission again returns its first result.

    Raises :class:`Stale` when the person decided the question since the form was rendered, :class:`Invalid` for bad input.
    A decision that comes after the lease had passed to somebody else is kept, marked ``is_late``.
    """
    question = session.connection().execute(_QUESTION, {"question": submission.question_id}).first()
    if question is None or submission.project_id not in (None, question.project_id):
        raise NotFound(
            "There is no such question any more, so the decision could not be saved; go on with the next one."
        )
    shown, is_blind = shown_answer(session, submission, question), _is_blind(submission)
    submission = clean(session, submission, question, None if is_blind else shown)
    first, newest = _known(session, submission, question)
    if first is not None:
        first = _replayed(first, submission)
        return Saved(first.id, first.verdict, first.reject_reason, first.is_blind, first.answer_id)
    if submission.version != (newest.version if newest else 0):
        raise Stale(CHANGED, newest.id if newest else None)
    label_id = _append(session, submission, question=question, newest=newest, shown=shown, is_blind=is_blind)
    state = _settle(session, question, person_id=submission.person_id)
    closed = (state == "done") - (question.state == "done")
    return Saved(label_id, submission.verdict, submission.reject_reason, is_blind, submission.answer_id, closed)


def _known(session: Session, submission: Submission, question: Any) -> tuple[Label | None, Label | None]:
    """What an earlier arrival of this submission stored, and the end of the person's chain: mostly neither, and no object is made."""
    values = {
        "submission": submission.submission_id, "question": question.id, "person": submission.person_id, "round": question.round
    }  # fmt: skip
    first, newest = session.connection().execute(_KNOWN, values).one()
    return (
        session.get(Label, first) if first is not None else None,
        session.get(Label, newest) if newest is not None else None,
    )


def _is_blind(submission: Submission) -> bool:
    """What cannot be decided without having seen the answer is refused where it was hidden."""
    if submission.is_blind and decision_of(submission.verdict, submission.reject_reason) in blind.UNFIT:
        raise Invalid(BLIND)
    return submission.is_blind


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
    return session.get_one(Label, row)


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
    session: Session, submission: Submission, *, question: Any, newest: Label | None, shown: Shown | None = None,
    is_blind: bool = False,
) -> int:  # fmt: skip
    """The new row's id. ``question`` is a :class:`Question` or its row."""
    values = {
        "project_id": question.project_id, "question_id": question.id, "person_id": submission.person_id, "round": question.round,
        "answer_id": submission.answer_id, "version": (newest.version if newest else 0) + 1,
        "supersedes_id": newest.id if newest else None, "submission_id": submission.submission_id, "verdict": submission.verdict,
        "reject_reason": submission.reject_reason, "text": submission.text, "passage_id": submission.passage_id,
        "start": submission.start, "end": submission.end, "reason": submission.reason, "seconds": submission.seconds,
        "edit_distance": edit_distance(shown.text if shown else "", submission.text) if submission.verdict == "correct" else 0,
        "is_blind": is_blind, "is_late": newest is None and _came_late(question, submission.person_id),
    }  # fmt: skip
    try:
        return int(session.connection().execute(_APPEND, values).scalar_one())
    except IntegrityError as error:
        # Another process wrote the same version or submission between our look and our write.
        raise Stale(CHANGED, newest.id if newest else None) from error


def _came_late(question: Any, person_id: int) -> bool:
    """The lease had passed on: somebody else holds the question now, or has labelled it as often as it should be."""
    held_by_other = question.lease_person_id not in (None, person_id) and _is_ahead(question.lease_expires_at)
    return held_by_other or question.state == "done"


def _is_ahead(moment: dt.datetime | None) -> bool:
    return moment is not None and moment > now()


def settle(session: Session, question: Question, *, person_id: int) -> None:
    """After a new row: count the current labels anew, close or open the question, and end this person's lease on it."""
    _settle(session, question, person_id=person_id)
    session.expire(question)


def _settle(session: Session, question: Any, *, person_id: int) -> str:
    overlap = project_settings.read(session.get_one(Project, question.project_id)).overlap
    is_mine = question.lease_person_id == person_id
    values = {
        "question": question.id, "overlap": overlap, "holder": None if is_mine else question.lease_person_id, "token": None if is_mine else question.lease_token,
        "until": None if is_mine else question.lease_expires_at,
    }  # fmt: skip
    return str(session.connection().execute(_SETTLED, values).scalar_one())
