"""The queue's order, worked out by the worker and written down as each question's priority, so that taking one stays one UPDATE.

Typed questions stay in front of it, and questions that came since stand behind it until the next pass: after answers were stored (which
a promotion and an import cause), and when the strategy or its seed changes.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from training.tasks import get_task
from training.types import TrainingError
from webapp.ask import strategies
from webapp.corpus.gold import LAST_IN_QUEUE
from webapp.db import write
from webapp.jobs.context import JobContext
from webapp.models import Answer, EvaluationRow, Iteration, Label, Project, Question, db
from webapp.projects import settings as project_settings
from webapp.releases.service import iterations_in_service

NOT_ORDERED = 0.0  # the priority a question is imported with; ordered ones lie between this and ORDERED_FROM
ORDERED_FROM = -0.5
GOLD_FROM = 0.5  # gold questions, whose answers are known, stand behind all others
BATCH = 500  # short transactions: people go on labelling meanwhile
LABELLED_SEEN = 500

_question = Question.__table__.c
_RANK = update(Question.__table__).where(_question.id == bindparam("question")).values(priority=bindparam("place"))


def run_order(context: JobContext) -> dict[str, Any]:
    """The ``order`` job."""
    project = db.session.get(Project, context.project_id)
    if project is None or project.deleted_at is not None:
        raise TrainingError("The project was deleted, so its queue is not ordered any more.")
    context.report(0.01, "Ordering the queue")
    return {"ordered": order_queue(project, embed=_embedder(project), guard=context.guard)}


def is_anything_unordered(project_id: int) -> bool:
    query = select(Question.id).where(
        Question.project_id == project_id, Question.state == "open", Question.priority.in_((NOT_ORDERED, LAST_IN_QUEUE))
    )
    return db.session.scalar(query.limit(1)) is not None


def order_queue(project: Project, *, embed: strategies.Embed | None, guard: Callable[[Session], None]) -> int:
    """Order the open questions by the project's strategy; returns how many. ``embed`` None compares questions by their words."""
    settings = project_settings.read(project)
    places = _places(project.id)
    ranked = strategies.order(
        _candidates(project.id), settings.strategy, settings.seed, embed=embed,
        labelled=_labelled(project.id) if "diverse" in settings.strategy else (),
        slice_scores=slice_scores(project) if settings.strategy == "worst_slice" else None,
    )  # fmt: skip
    gold = set(db.session.scalars(select(Question.id).where(*_in_queue(project.id), Question.source == "gold")))
    wanted = _spread([one for one in ranked if one not in gold], ORDERED_FROM, NOT_ORDERED)
    wanted += _spread([one for one in ranked if one in gold], GOLD_FROM, LAST_IN_QUEUE)
    db.session.rollback()
    rows = [{"question": question, "place": place} for question, place in wanted if places.get(question) != place]
    for first in range(0, len(rows), BATCH):
        with write() as session:
            guard(session)
            session.connection().execute(_RANK, rows[first : first + BATCH])
    return len(ranked)


def _spread(ranked: list[int], start: float, end: float) -> list[tuple[int, float]]:
    step = (end - start) / max(len(ranked), 1)
    return [(question, start + rank * step) for rank, question in enumerate(ranked)]


def _in_queue(project_id: int) -> tuple[Any, ...]:
    return Question.project_id == project_id, Question.state == "open", Question.source != "typed"


def _places(project_id: int) -> dict[int, float]:
    rows = db.session.execute(select(Question.id, Question.priority).where(*_in_queue(project_id)))
    return {question: priority for question, priority in rows}


def _candidates(project_id: int) -> list[strategies.Candidate]:
    query = (
        select(Question.id, Question.text, Answer.score, Answer.answerable)
        .outerjoin(Answer, Answer.id == Question.answer_id)
        .where(*_in_queue(project_id))
    )
    return [
        strategies.Candidate(question, text, score, strategies.slice_of(text, is_answered=bool(answerable)))
        for question, text, score, answerable in db.session.execute(query)
    ]


def _labelled(project_id: int) -> list[str]:
    """The questions decided last."""
    query = (
        select(Question.text).join(Label, Label.question_id == Question.id)
        .where(Label.project_id == project_id, Label.verdict != "undo").order_by(Label.id.desc()).limit(LABELLED_SEEN)
    )  # fmt: skip
    return list(dict.fromkeys(db.session.scalars(query)))


def slice_scores(project: Project) -> dict[str, float]:
    """How the model in service did on each slice of the test questions of the last iteration that has any."""
    last = db.session.scalar(
        select(Iteration).join(EvaluationRow).where(Iteration.project_id == project.id).order_by(Iteration.number.desc()).limit(1)
    )  # fmt: skip
    if last is None:
        return {}
    is_in_service = last.id in iterations_in_service(db.session(), project.id)
    metric = get_task(project.task).PRIMARY_METRIC
    query = select(Question.text, EvaluationRow).join(Question, Question.id == EvaluationRow.question_id)
    found = []
    for text, row in db.session.execute(query.where(EvaluationRow.iteration_id == last.id)):
        said, scores = (row.after_text, row.after) if is_in_service else (row.before_text, row.before)
        found.append((strategies.slice_of(text, is_answered=bool(said)), float(scores.get(metric, 0.0))))
    return strategies.score_slices(found)


def _embedder(project: Project) -> strategies.Embed | None:
    if not get_task(project.task).USES_PASSAGES:
        return None
    from retriever.embedder import load_embedder
    from webapp.home import model_cache

    db.session.rollback()  # no model is loaded while a read transaction is open
    return load_embedder(project.embedder, cache=model_cache()).encode
