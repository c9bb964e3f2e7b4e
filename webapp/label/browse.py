"""The labels of a project, page by page, and everything that is known about one of them."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, contains_eager

from webapp.errors import NotFound
from webapp.label.blind import hidden_from, is_blind
from webapp.label.difference import Change, word_changes
from webapp.label.effects import Effect, effects_of
from webapp.label.submission import DECISIONS, decision_of
from webapp.label.view import AnswerView, PassageView, view_answer, view_passages
from webapp.models import (
    SUPERSEDED,
    Answer,
    Dataset,
    DatasetLabel,
    Iteration,
    Label,
    Person,
    Project,
    Question,
    Release,
)

PER_PAGE = 50


@dataclass(frozen=True)
class Filters:
    """``history``: superseded rows and undos as well."""

    decision: str = ""
    person_id: int | None = None
    text: str = ""
    release: int | None = None
    history: bool = False


@dataclass(frozen=True)
class Line:
    id: int
    question: str
    decision: str
    text: str
    shown: str | None
    person: str
    release: int | None
    created_at: Any
    version: int
    is_late: bool
    is_blind: bool  # decided without the model's answer
    is_current: bool
    is_hidden: bool = (
        False  # whoever looks has still to decide the question blind: nothing that was said or written is in here
    )


@dataclass(frozen=True)
class Page:
    """``older``/``newer`` are the label ids to go on from, None at the ends."""

    lines: list[Line]
    older: int | None
    newer: int | None


def list_labels(
    session: Session,
    project: Project,
    filters: Filters,
    *,
    viewer_id: int,
    before: int | None = None,
    after: int | None = None,
) -> Page:
    """Newest first. Pages by label id, so that the last page of 100,000 rows is as quick as the first."""
    query = _filtered(project, filters)
    if after is not None:
        rows = list(session.execute(query.where(Label.id > after).order_by(Label.id).limit(PER_PAGE + 1)))
        has_newer, has_older = len(rows) > PER_PAGE, True
        rows = rows[:PER_PAGE][::-1]
    else:
        query = query.where(Label.id < before) if before is not None else query
        rows = list(session.execute(query.order_by(Label.id.desc()).limit(PER_PAGE + 1)))
        has_newer, has_older = before is not None, len(rows) > PER_PAGE
        rows = rows[:PER_PAGE]
    hidden = hidden_from(session, project, viewer_id, [row.Label.question for row in rows])
    lines = [_hide(_line(row)) if row.Label.question_id in hidden else _line(row) for row in rows]
    return Page(lines, lines[-1].id if lines and has_older else None, lines[0].id if lines and has_newer else None)


def _filtered(project: Project, filters: Filters) -> Any:
    query = (
        select(Label, Question.text.label("question"), Person.name.label("person"), Answer.text.label("shown"),
               Release.number.label("release"), (~SUPERSEDED).label("is_current"))
        .join(Question, Question.id == Label.question_id).join(Person, Person.id == Label.person_id)
        .outerjoin(Answer, Answer.id == Label.answer_id).outerjoin(Release, Release.id == Answer.release_id)
        .where(Label.project_id == project.id).options(contains_eager(Label.question))
    )  # fmt: skip
    if not filters.history:
        query = query.where(~SUPERSEDED, Label.verdict != "undo")
    if filters.decision in DECISIONS:
        verdict, reason = DECISIONS[filters.decision]
        query = query.where(Label.verdict == verdict, *([Label.reject_reason == reason] if reason else []))
    if filters.person_id is not None:
        query = query.where(Label.person_id == filters.person_id)
    if filters.release is not None:
        query = query.where(Release.number == filters.release)
    if filters.text:
        columns = (Question.text, Label.text, Label.reason)
        query = query.where(or_(*(column.icontains(filters.text, autoescape=True) for column in columns)))
    return query


def _hide(line: Line) -> Line:
    return replace(line, text="", shown=None, is_hidden=True)


def _line(row: Any) -> Line:
    label = row.Label
    return Line(
        id=label.id, question=row.question, decision=decision_of(label.verdict, label.reject_reason), text=label.text,
        shown=row.shown, person=row.person, release=row.release, created_at=label.created_at, version=label.version,
        is_late=label.is_late, is_blind=label.is_blind, is_current=row.is_current,
    )  # fmt: skip


def people_who_labelled(session: Session, project: Project) -> list[Any]:
    there = select(Label.id).where(Label.person_id == Person.id, Label.project_id == project.id).exists()
    return list(session.execute(select(Person.id, Person.name).where(there).order_by(Person.name)))


def releases_of(session: Session, project: Project) -> list[int]:
    return list(
        session.scalars(select(Release.number).where(Release.project_id == project.id).order_by(Release.number.desc()))
    )


@dataclass(frozen=True)
class Version:
    label: Label
    decision: str
    changes: list[Change]  # against the answer that was shown; [] unless it is a correction


@dataclass(frozen=True)
class Use:
    """One dataset a version of a label entered: its split, and as what kinds of row."""

    version: int
    dataset_id: int
    split: str
    kinds: tuple[str, ...]
    iteration: int | None
    release: int | None
    is_compared: bool  # the iteration has measured its model beside the one in service


@dataclass(frozen=True)
class Trace:
    """One label: the question, its whole chain, what the model had shown, other people's decisions, and what learned from it.

    ``is_hidden``: whoever looks has still to decide the question blind, so the page tells none of it.
    """

    question: Question
    person: Person
    current: Version
    versions: list[Version]
    answer: AnswerView | None
    passages: list[PassageView]
    others: list[Line]
    uses: list[Use]
    effects: list[Effect]
    is_hidden: bool

    @property
    def uncompared(self) -> int | None:
        """The iteration that took it last, where that has compared nothing: it runs still, failed or was cancelled."""
        newest = self.uses[0] if self.uses else None
        return newest.iteration if newest is not None and not newest.is_compared else None


def trace(session: Session, project: Project, label_id: int, *, viewer_id: int) -> Trace:
    label = session.get(Label, label_id)
    if label is None or label.project_id != project.id:
        raise NotFound("There is no such label in this project; the page of labels lists them.")
    chain = (Label.question_id == label.question_id, Label.person_id == label.person_id, Label.round == label.round)
    labels = list(session.scalars(select(Label).where(*chain).order_by(Label.version)))
    shown = view_answer(session, project, label.answer_id) if label.answer_id is not None else None
    versions = [_version(session, one) for one in labels]
    question = session.get_one(Question, label.question_id)
    return Trace(
        question=question, person=session.get_one(Person, label.person_id),
        current=next(version for version in versions if version.label.id == label.id), versions=versions, answer=shown,
        passages=view_passages(session, project, shown, question_id=question.id, viewer_id=viewer_id, label=label), others=_others(session, project, label),
        uses=_uses(session, [one.id for one in labels]), effects=effects_of(session, [one.id for one in labels]),
        is_hidden=is_blind(session, project, question, viewer_id),
    )  # fmt: skip


def _version(session: Session, label: Label) -> Version:
    shown = session.get(Answer, label.answer_id) if label.answer_id is not None else None
    is_correction = label.verdict == "correct" and not label.is_blind
    changes = word_changes(shown.text if shown else "", label.text) if is_correction else []
    return Version(label, decision_of(label.verdict, label.reject_reason), changes)


def _others(session: Session, project: Project, label: Label) -> list[Line]:
    query = _filtered(project, Filters()).where(
        Label.question_id == label.question_id, Label.person_id != label.person_id
    )
    return [_line(row) for row in session.execute(query.order_by(Label.id).limit(PER_PAGE))]


def _uses(session: Session, label_ids: list[int]) -> list[Use]:
    query = (
        select(Label.version, Dataset.id, DatasetLabel.split, DatasetLabel.kind, Iteration, Release.number)
        .join(Dataset, Dataset.id == DatasetLabel.dataset_id).join(Label, Label.id == DatasetLabel.label_id).outerjoin(Iteration, Iteration.dataset_id == Dataset.id)
        .outerjoin(Release, Release.iteration_id == Iteration.id)
        .where(DatasetLabel.label_id.in_(label_ids)).order_by(Dataset.id.desc(), Iteration.number.desc(), DatasetLabel.kind, Release.number).limit(4 * PER_PAGE)
    )  # fmt: skip
    found: dict[tuple[int, int | None], Use] = {}
    for version, dataset, split, kind, iteration, release in session.execute(query):
        if iteration is not None and iteration.is_practice:
            continue
        number = iteration.number if iteration is not None else None
        is_compared = iteration is not None and iteration.gate is not None
        known = found.get((dataset, number), Use(version, dataset, split, (), number, release, is_compared))
        found[dataset, number] = replace(known, kinds=tuple(dict.fromkeys((*known.kinds, kind))))
    return list(found.values())
