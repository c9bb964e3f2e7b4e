"""What the jobs that answer the queue ahead of time have in common: the champion of now, and a batch of questions answered by it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from training.types import TrainingError
from webapp.ask import answers
from webapp.db import write
from webapp.jobs.context import JobContext
from webapp.models import Project, Question, Release, db, now
from webapp.projects import settings as project_settings
from webapp.releases.serving import LoadedRelease


def champion_of_now(context: JobContext) -> tuple[Project, Release]:
    """Raises :class:`TrainingError` when the project is gone or has no release."""
    db.session.rollback()
    project = db.session.get(Project, context.project_id, populate_existing=True)
    if project is None or project.deleted_at is not None:
        raise TrainingError("The project was deleted, so its questions are not answered any more.")
    champion = db.session.get(Release, project.champion_id) if project.champion_id is not None else None
    if champion is None:
        raise TrainingError(
            f"{project.name} has no release yet; import documents and run `errata index {project.name}` first."
        )
    return project, champion


def answer_batch(context: JobContext, project: Project, release: LoadedRelease, batch: Sequence[Any]) -> int:
    """Store an answer to each question (rows with ``id`` and ``text``) whose present one nobody looks at; returns how many."""
    shown, asked_at = project_settings.read(project).passages_shown, now()
    found = release.answer([row.text for row in batch], k=shown)
    stored = 0
    with write() as session:
        context.guard(session)
        rows = session.scalars(
            select(Question).where(Question.id.in_([row.id for row in batch])).execution_options(populate_existing=True)
        )
        questions = {question.id: question for question in rows}
        for row, answered in zip(batch, found, strict=True):
            question = questions.get(row.id)
            if question is None or answers.is_looked_at(question):
                continue
            answers.store_answer(session, question, release.files.release_id, answered, asked_at=asked_at)
            stored += 1
    return stored
