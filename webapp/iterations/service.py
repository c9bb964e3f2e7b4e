"""Starting, finding and judging iterations."""

import uuid
from dataclasses import asdict
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from training.lessons import WARM_UP_EPOCHS
from training.types import FitConfig
from webapp import home
from webapp.audit import record
from webapp.errors import Invalid, NotFound
from webapp.iterations.lessons import only_practice, switched_on
from webapp.iterations.readiness import find_practice_problem, find_problem, newest_label
from webapp.jobs import service as job_service
from webapp.models import ACTIVE_JOB_STATES, EvaluationRow, Iteration, Job, Project, Release, db
from webapp.projects import settings as project_settings


def start(session: Session, project: Project, *, person: Any, reason: str = "", is_practice: bool = False) -> Iteration:
    """Queue an iteration. Raises ``Invalid`` when the labels cannot teach anything yet, ``Busy`` when one is on its way.

    ``is_practice``: learn from no label, but from phrases hidden in the project's own corpus.
    """
    problem = find_practice_problem(project) if is_practice else find_problem(project)
    if problem:
        raise Invalid(problem)
    number = (session.scalar(select(func.max(Iteration.number)).where(Iteration.project_id == project.id)) or 0) + 1
    job = job_service.enqueue(
        session,
        "train",
        project_id=project.id,
        payload={"iteration": number},
        lock=f"train:{project.id}",
        person=person,
    )
    settings = project_settings.read(project)
    fit = FitConfig(
        epochs=WARM_UP_EPOCHS if is_practice else settings.epochs, method=settings.method, seed=settings.seed
    )
    lessons = only_practice(settings) if is_practice else switched_on(settings)
    newest = 0 if is_practice else newest_label(project.id)  # practice learns from no label
    iteration = Iteration(
        project_id=project.id, number=number, job_id=job.id, base=project.base, seed=settings.seed,
        config={"fit": asdict(fit), "lessons": asdict(lessons), "learn_retriever": settings.learn_retriever, "task": project.task,
                "reason": reason, "newest_label": newest, "answerer": uuid.uuid4().hex},
        path=home.relative(home.iteration_folder(project.id, number)), started_by_id=person.id if person is not None else None,
    )  # fmt: skip
    session.add(iteration)
    session.flush()
    person_id = person.id if person is not None else None
    record(session, "iteration.start", project_id=project.id, person_id=person_id, iteration=number, reason=reason)
    return iteration


def running_iteration(project_id: int) -> Iteration | None:
    statement = (
        select(Iteration).join(Job, Job.id == Iteration.job_id).options(joinedload(Iteration.job))
        .where(Iteration.project_id == project_id, Job.state.in_(ACTIVE_JOB_STATES))
    )  # fmt: skip
    return db.session.scalar(statement)


def list_iterations(project_id: int) -> list[Iteration]:
    statement = (
        select(Iteration).options(joinedload(Iteration.job), joinedload(Iteration.dataset))
        .where(Iteration.project_id == project_id).order_by(Iteration.number.desc())
    )  # fmt: skip
    return list(db.session.scalars(statement))


def iteration_or_404(project_id: int, number: int) -> Iteration:
    statement = (
        select(Iteration).options(joinedload(Iteration.job), joinedload(Iteration.dataset))
        .where(Iteration.project_id == project_id, Iteration.number == number)
    )  # fmt: skip
    iteration = db.session.scalar(statement)
    if iteration is None:
        raise NotFound(f"This project has no iteration {number}; the iterations page lists them.")
    return iteration


def candidate_of(iteration: Iteration) -> Release | None:
    return db.session.scalar(
        select(Release).where(Release.iteration_id == iteration.id).order_by(Release.id.desc()).limit(1)
    )


def evaluation_rows(iteration: Iteration, metric: str) -> list[tuple[EvaluationRow, str]]:
    """Each test question with ``better``, ``worse`` or ``same``, the largest changes first."""
    rows = db.session.scalars(
        select(EvaluationRow)
        .options(joinedload(EvaluationRow.question))
        .where(EvaluationRow.iteration_id == iteration.id)
    )
    ordered = sorted(rows, key=lambda row: (-abs(_change(row, metric)), row.id))
    return [(row, _direction(_change(row, metric))) for row in ordered]


def _change(row: EvaluationRow, metric: str) -> float:
    return float(row.after.get(metric, 0.0)) - float(row.before.get(metric, 0.0))


def _direction(change: float) -> str:
    return "better" if change > 0 else "worse" if change < 0 else "same"
