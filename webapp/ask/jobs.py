"""The ``predict`` job: the champion answers the queue ahead of time, so that no annotator waits for a model."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from webapp.ask import ordering, refreshing
from webapp.ask.ahead import answer_batch, champion_of_now
from webapp.jobs.context import JobContext
from webapp.models import Answer, Project, Question, db, now
from webapp.releases.serving import LoadedRelease, describe, load_release

FIRST_BATCH = 16  # small: somebody may wait for the first answers
BATCH = 64


def run_predict(context: JobContext) -> dict[str, Any]:
    """Answer open questions that have no answer of the champion, those served next first; again when the champion changes.

    New questions get their place in the queue before, as well as it is known; with the answers known, all get it anew. A job asked for
    after a label answers again only what is like the labelled question.
    """
    if context.payload.get("refresh"):
        return refreshing.refresh(context)
    answered, place, size = 0, None, FIRST_BATCH
    if ordering.is_anything_unordered(context.project_id or 0):
        ordering.order_queue(champion_of_now(context)[0], embed=None, guard=context.guard)
    release: LoadedRelease | None = None
    while True:
        project, champion = champion_of_now(context)
        if release is None or release.files.release_id != champion.id:
            context.report(0.01, f"Loading release {champion.number}")
            release, place = load_release(describe(champion)), None
        batch = _next_batch(project, champion.id, place, limit=size)
        if not batch:
            context.report(0.99, "Ordering the queue")
            embed = release.embedder.encode if release.embedder is not None else None
            ordered = ordering.order_queue(project, embed=embed, guard=context.guard)
            return {"answered": answered, "ordered": ordered, "release": champion.number}
        answered += answer_batch(context, project, release, batch)
        place, size = (batch[-1].priority, batch[-1].id), BATCH
        left = _count_waiting(project, champion.id)
        context.report(min(answered / max(answered + left, 1), 0.99), f"{answered:,} answered, {left:,} to go")
        context.step_aside()  # an import or an export is not to wait for thousands of answers


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
