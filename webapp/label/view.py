"""Everything the annotate page shows for one question, read in few queries: this runs once per label."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from webapp.ask.queue import Served
from webapp.health import is_alive
from webapp.label.blind import is_blind, seal
from webapp.label.highlight import Piece, cut
from webapp.label.learner import Learner, learner_of
from webapp.label.moved import moves
from webapp.label.service import newest_label
from webapp.models import Answer, AnswerPassage, Document, Label, Passage, Project, Question, Release

# Made once, and of tables instead of classes: these run for every label, and building them, or filling objects from their rows,
# would cost more than running them.
_answer_table, _release = Answer.__table__.c, Release.__table__.c
_shown, _passage_table, _document = AnswerPassage.__table__.c, Passage.__table__.c, Document.__table__.c
_PASSAGE_COLUMNS = (
    _passage_table.id,
    _passage_table.text,
    _document.title,
    _document.external_id,
    _document.deleted_at.is_not(None).label("is_gone"),
)
_ANSWER = (
    select(*(column for column in _answer_table if column.name != "created_at"), _release.number)
    .join(Release.__table__, _release.id == _answer_table.release_id)
    .where(_answer_table.id == bindparam("answer"))
)
_SHOWN = (
    select(*_PASSAGE_COLUMNS, _shown.rank, _shown.score, _shown.terms, _shown.lift, _shown.lift_label_id)
    .join(Passage.__table__, _passage_table.id == _shown.passage_id)
    .join(Document.__table__, _document.id == _passage_table.document_id)
    .where(_shown.answer_id == bindparam("answer"))
    .order_by(_shown.rank)
)


@dataclass(frozen=True)
class PassageView:
    id: int
    rank: int | None  # None: it was not among the shown ones, a person chose it
    score: float | None
    moved: str  # which label on which like question moved it, in a sentence; "" when none did
    title: str
    is_used: bool
    is_gone: bool  # its document was deleted
    pieces: list[Piece]


@dataclass(frozen=True)
class AnswerView:
    id: int
    text: str
    answerable: bool
    is_held_back: bool  # "not answerable" although an answer was likelier than none: the threshold asks for more
    score: float
    release: int
    newer_release: int | None  # the champion's number, when it is another one than made this answer
    retrieval_s: float
    answer_s: float
    prompt_version: str
    log_probability: float
    passage_id: int | None  # the passage it was found in, and where
    start: int | None
    end: int | None


@dataclass(frozen=True)
class QuestionView:
    """``text`` is the correction's field; ``label`` the person's current decision on the question, if there is one.

    Served blind, ``answer`` is None and nothing else here comes from what the model said; ``answer_id`` only names it.
    """

    id: int
    title: str
    source: str
    answer: AnswerView | None
    answer_id: int | None
    is_blind: bool
    seal: str  # what a blind page's form carries, "" otherwise
    passages: list[PassageView]
    label: Label | None
    version: int
    submission_id: str
    shown_at: int
    text: str
    chosen: int | None
    start: int | None
    end: int | None
    is_engine_down: bool
    learner: Learner | None  # what becomes of words that stand in no passage


def view_question(session: Session, project: Project, question: Question | Served, person_id: int) -> QuestionView:
    newest = newest_label(session, question, person_id)
    label = newest if newest is not None and newest.verdict != "undo" else None
    # Asked again after the decision, the model in service is heard: whether it has learned is what one wants to see.
    answer_id = question.answer_id or (label.answer_id if label is not None else None)
    version = newest.version if newest is not None else 0
    hidden = answer_id is not None and is_blind(session, project, question, person_id)
    shown = view_answer(session, project, answer_id) if answer_id is not None and not hidden else None
    return QuestionView(
        id=question.id, title=question.text, source=question.source, answer=shown, answer_id=answer_id, is_blind=hidden,
        seal=seal(question_id=question.id, person_id=person_id, version=version, answer_id=answer_id) if hidden and answer_id else "",
        passages=view_passages(
            session, project, shown, question_id=question.id, viewer_id=person_id, label=label, answer_id=answer_id
        ), label=label,
        version=version, submission_id=new_submission_id(), shown_at=int(time.time()),
        text=label.text if label is not None and label.text else shown.text if shown else "",
        chosen=label.passage_id if label else None, start=label.start if label else None, end=label.end if label else None,
        is_engine_down=answer_id is None and not is_alive("engine"), learner=learner_of(session, project),
    )  # fmt: skip


def new_submission_id() -> str:
    return secrets.token_urlsafe(18)


def view_answer(session: Session, project: Project, answer_id: int) -> AnswerView:
    """What a page says about the stored answer."""
    answer = session.connection().execute(_ANSWER, {"answer": answer_id}).one()
    return AnswerView(
        id=answer.id, text=answer.text, answerable=answer.answerable,
        is_held_back=not answer.answerable and bool(answer.best_text) and answer.answerable_score > 0.5,
        score=answer.score, release=answer.number,
        newer_release=_newer_release(session, project, answer.release_id), retrieval_s=answer.retrieval_s, answer_s=answer.answer_s,
        prompt_version=answer.prompt_version, log_probability=answer.log_probability,
        passage_id=answer.passage_id, start=answer.start, end=answer.end,
    )  # fmt: skip


def _newer_release(session: Session, project: Project, release_id: int) -> int | None:
    if project.champion_id is None or project.champion_id == release_id:
        return None
    return session.scalar(select(Release.number).where(Release.id == project.champion_id))


def view_passages(
    session: Session,
    project: Project,
    answer: AnswerView | None,
    *,
    question_id: int,
    viewer_id: int,
    label: Label | None,
    answer_id: int | None = None,
) -> list[PassageView]:
    """The answer's passages in rank order, and at the end the one a person chose, if it is none of them.

    With an ``answer_id`` and no ``answer``: the passages found for it, without a trace of what it says.
    """
    found_for = answer.id if answer is not None else answer_id
    rows = list(session.connection().execute(_SHOWN, {"answer": found_for})) if found_for is not None else []
    chosen = label.passage_id if label is not None else None
    if chosen is not None and chosen not in {row.id for row in rows}:
        extra = select(*_PASSAGE_COLUMNS).join(Document.__table__, _document.id == _passage_table.document_id)
        rows = [*rows, *session.execute(extra.where(_passage_table.id == chosen))]
    moved = moves(session, project, rows, question_id=question_id, viewer_id=viewer_id)
    return [_passage(row, answer, label, moved.get(row.id, "")) for row in rows]


def _passage(row: Any, answer: AnswerView | None, label: Label | None, moved: str) -> PassageView:
    is_used = answer is not None and answer.passage_id == row.id
    evidence = None
    if label is not None and label.passage_id == row.id and label.start is not None and label.end is not None:
        evidence = (label.start, label.end)
    elif is_used and answer is not None and answer.answerable and answer.start is not None and answer.end is not None:
        evidence = (answer.start, answer.end)
    fields = row._mapping
    return PassageView(
        id=row.id, rank=fields.get("rank"), score=fields.get("score"), moved=moved,
        title=row.title or row.external_id or f"Passage {row.id}",
        is_used=is_used, is_gone=bool(row.is_gone),
        pieces=cut(row.text, evidence=evidence, terms=fields.get("terms") or ()),
    )  # fmt: skip
