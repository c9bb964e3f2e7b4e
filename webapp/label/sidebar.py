"""What stands beside the question: how far the queue is, one's last decisions, and when the next iteration comes."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from webapp.label.changes import changed_labels
from webapp.label.effects import newest_lines
from webapp.label.service import SUPERSEDED, UNDO_LAST
from webapp.label.submission import decision_of
from webapp.models import ACTIVE_JOB_STATES, Document, Iteration, Job, Label, Project, Question
from webapp.projects import settings as project_settings


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
    select(_label.id, _question.id, func.substr(_question.text, 1, 120), _label.verdict, _label.reject_reason)
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


def queue_progress(session: Session, project: Project) -> Progress:
    done, left = session.execute(_PROGRESS, {"project": project.id}).one()
    return Progress(done, done + left)


def recent_decisions(session: Session, project: Project, person_id: int) -> list[Recent]:
    """The person's newest current decisions, as many as can be undone."""
    rows = session.execute(_RECENT, {"project": project.id, "person": person_id}).all()
    effects = newest_lines(session, [row[0] for row in rows])
    return [
        Recent(a, b, text, decision_of(verdict, reason), effects.get(a, "")) for a, b, text, verdict, reason in rows
    ]


def next_iteration(session: Session, project: Project) -> NextIteration:
    last = session.execute(_LAST_ITERATION, {"project": project.id}).first()
    train_after = project_settings.read(project).train_after
    if last is not None and last.state in ACTIVE_JOB_STATES:
        return NextIteration(last.number, 0, train_after, last.fraction, last.message)
    newest = int(last.config.get("newest_label", 0)) if last is not None else 0
    number = last.number + 1 if last is not None else 1
    changed = changed_labels(session, project.id, newest, at_most=train_after)
    return NextIteration(number, changed, train_after, None, "")


def _changed(session: Session, project: Project, newest: int, *, most: int) -> int:
    """Current decisions made after label ``newest``."""
    return session.scalar(_CHANGED, {"project": project.id, "newest": newest, "most": most}) or 0 if most else 0


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
