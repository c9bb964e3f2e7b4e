"""The ``predict`` job: the champion answers the queue ahead of time, so that no annotator waits for a model."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from training.types import TrainingError
from webapp.ask import answers, ordering
from webapp.db import write
from webapp.jobs.context import JobContext
from webapp.models import Answer, Project, Question, Release, db, now
from webapp.projects import settings as project_settings
from webapp.releases.serving import LoadedRelease, describe, load_release

FIRST_BATCH = 16  # small: somebody may wait for the first answers
BATCH = 64


def run_predict(context: JobContext) -> dict[str, Any]:
    """Answer open questions that have no answer of the champion, those served next first; again when the champion changes.

    New questions get their place in the queue before, as well as it is known; with the answers known, all get it anew.
    """
    answered, place, size = 0, None, FIRST_BATCH
    if ordering.is_anything_unordered(context.project_id or 0):
        ordering.order_queue(_champion(context)[0], embed=None, guard=context.guard)
    release: LoadedRelease | None = None
    while True:
        project, champion = _champion(context)
        if release is None or release.files.release_id != champion.id:
            context.report(0.01, f"Loading release {champion.number}")
            release, place = load_release(describe(champion)), None
        batch = _next_batch(project, champion.id, place, limit=size)
        if not batch:
            context.report(0.99, "Ordering the queue")
            embed = release.embedder.encode if release.embedder is not None else None
            ordered = ordering.order_queue(project, embed=embed, guard=context.guard)
            return {"answered": answered, "ordered": ordered, "release": champion.number}
        answered += _answer(context, project, release, batch)
        place, size = (batch[-1].priority, batch[-1].id), BATCH
        waiting = answered + _count_waiting(project, champion.id)
        context.report(min(answered / max(waiting, 1), 0.99), f"{answered:,} of {waiting:,} questions answered")


def _champion(context: JobContext) -> tuple[Project, Release]:
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


def _unanswered(project_id: int, champion_id: int) -> Any:
    """Open questions without the champion's answer, but for those whose older answer somebody looks at now."""
    newest = aliased(Answer)
    is_free = Question.lease_expires_at.is_(None) | (Question.lease_expires_at <= now())
    return (
        select(Question.id, Question.priority, Question.text)
        .outerjoin(newest, newest.id == Question.answer_id)
        .where(
            Question.project_id == project_id, Question.state == "open",
            newest.id.is_(None) | ((newest.release_id != champion_id) & is_free),
        )
    )  # fmt: skip


def _next_batch(project: Project, champion_id: int, place: tuple[float, int] | None, *, limit: int) -> list[Any]:
    query = _unanswered(project.id, champion_id).order_by(Question.priority, Question.id).limit(limit)
    if place is not None:
        priority, last = place
        query = query.where((Question.priority > priority) | ((Question.priority == priority) & (Question.id > last)))
    return list(db.session.execute(query))


def _count_waiting(project: Project, champion_id: int) -> int:
    return db.session.scalar(select(func.count()).select_from(_unanswered(project.id, champion_id).subquery())) or 0


def _answer(context: JobContext, project: Project, release: LoadedRelease, batch: list[Any]) -> int:
    shown = project_settings.read(project).passages_shown
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
            answers.store_answer(session, question, release.files.release_id, answered)
            stored += 1
    return stored
