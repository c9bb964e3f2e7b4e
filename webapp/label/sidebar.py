"""What stands beside the question: how far the queue is, one's last decisions, and when the next iteration comes."""

import time
from dataclasses import dataclass, replace
from typing import Any

from flask import current_app
from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.orm import Session

from webapp.label.changes import changed_labels
from webapp.label.effects import newest_lines
from webapp.label.service import UNDO_LAST
from webapp.label.submission import decision_of
from webapp.models import ACTIVE_JOB_STATES, SUPERSEDED, Document, Iteration, Job, Label, LabelEffect, Project, Question
from webapp.projects import settings as project_settings

COUNTED_FOR_S = 1.0
# As ui.decision says it; here, because a macro for each of ten lines is a tenth of the page's time.
DECIDED = {
    "accept": ("accepted", "good"),
    "correct": ("corrected", "info"),
    "wrong_answer": ("wrong answer", "bad"),
    "wrong_passage": ("wrong passage", "bad"),
    "unanswerable": ("unanswerable", "bad"),
    "skip": ("skipped", ""),
}


@dataclass(frozen=True)
class Progress:
    done: int
    total: int


@dataclass(frozen=True)
class Recent:
    label_id: int
    question_id: int
    question: str
    decision: str
    effect: str  # what became of its question in the newest iteration that used it, "" when none is stored

    @property
    def word(self) -> str:
        return DECIDED.get(self.decision, (self.decision, ""))[0]

    @property
    def tone(self) -> str:
        return DECIDED.get(self.decision, ("", "bad"))[1]


@dataclass(frozen=True)
class NextIteration:
    """``changed`` labels since the last iteration, counted up to ``train_after`` (0: iterations start by hand only)."""

    number: int
    changed: int
    train_after: int
    running: float | None  # the running iteration's fraction done
    message: str

    @property
    def fraction(self) -> float:
        return (
            self.running if self.running is not None else self.changed / self.train_after if self.train_after else 0.0
        )


# These run after every label, and building them would cost more than running them: they are made once, of tables, not classes.
_question, _label = Question.__table__.c, Label.__table__.c
_iteration, _job = Iteration.__table__.c, Job.__table__.c
_project: Any = bindparam("project")
_person: Any = bindparam("person")
_in_project = select(func.count()).where(_question.project_id == _project)
# Two plain counts along the index take half the time of one grouped by state.
_PROGRESS = select(
    _in_project.where(_question.state == "done").scalar_subquery(),
    _in_project.where(_question.state == "open").scalar_subquery(),
)
_RECENT = (
    select(
        _label.id,
        _question.id,
        func.substr(_question.text, 1, 120),
        _label.verdict,
        _label.reject_reason,
        select(LabelEffect.__table__.c.label_id).where(LabelEffect.__table__.c.label_id == _label.id).exists(),
    )
    .join(Question.__table__, _question.id == _label.question_id)
    .where(_label.project_id == _project, _label.person_id == _person, _label.verdict != "undo", ~SUPERSEDED)
    .order_by(_label.id.desc())
    .limit(UNDO_LAST)
)
_LAST_ITERATION = (
    select(_iteration.number, _iteration.config, _job.state, _job.fraction, _job.message)
    .join(Job.__table__, _job.id == _iteration.job_id)
    .where(_iteration.project_id == _project)
    .order_by(_iteration.number.desc())
    .limit(1)
)


def queue_progress(session: Session | Connection, project: Project, *, anew: bool = False) -> Progress:
    """Counted ``anew``, or else at most once a second, which takes as long as all else on the page; between, each
    decision this process stores is added as it is made, and those of another web process come with the next count."""
    counted_at, progress = _counted().get(project.id, (0.0, Progress(0, 0)))
    if anew or time.monotonic() - counted_at > COUNTED_FOR_S:
        done, left = session.execute(_PROGRESS, {"project": project.id}).one()
        progress = Progress(done, done + left)
        _counted()[project.id] = (time.monotonic(), progress)
    return progress


def _counted() -> dict[int, tuple[float, Progress]]:
    known: dict[int, tuple[float, Progress]] = current_app.extensions.setdefault("errata_progress", {})
    return known


def count_decided(project_id: int, closed: int) -> None:
    """A decision closed (1), opened (-1) or left (0) its question."""
    counted_at, progress = _counted().get(project_id, (0.0, Progress(0, 0)))
    _counted()[project_id] = (counted_at, replace(progress, done=progress.done + closed))


def forget_progress(project_id: int) -> None:
    _counted().pop(project_id, None)


def recent_decisions(session: Session | Connection, project: Project, person_id: int) -> list[Recent]:
    """The person's newest current decisions, as many as can be undone."""
    rows = session.execute(_RECENT, {"project": project.id, "person": person_id}).all()
    effects = newest_lines(session, [row[0] for row in rows if row[5]])
    return [
        Recent(a, b, text, decision_of(verdict, reason), effects.get(a, "")) for a, b, text, verdict, reason, _ in rows
    ]


def next_iteration(session: Session | Connection, project: Project) -> NextIteration:
    last = session.execute(_LAST_ITERATION, {"project": project.id}).first()
    train_after = project_settings.read(project).train_after
    if last is not None and last.state in ACTIVE_JOB_STATES:
        return NextIteration(last.number, 0, train_after, last.fraction, last.message)
    newest = int(last.config.get("newest_label", 0)) if last is not None else 0
    number = last.number + 1 if last is not None else 1
    changed = changed_labels(session, project.id, newest, at_most=train_after)
    return NextIteration(number, changed, train_after, None, "")


def what_is_missing(session: Session, project: Project, progress: Progress) -> str:
    """Why there is nothing to label: ``no_documents``, ``no_index``, ``no_questions``, ``all_done``; "" when there is."""
    from training.tasks import get_task

    if project.champion_id is None and get_task(project.task).USES_PASSAGES:
        any_document: Any = (
            select(Document.id).where(Document.project_id == project.id, Document.deleted_at.is_(None)).limit(1)
        )
        return "no_index" if session.scalar(any_document) is not None else "no_documents"
    if progress.total == 0:
        return "no_questions"
    return "all_done"
