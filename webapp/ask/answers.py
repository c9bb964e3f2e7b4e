"""What a release said for a question, stored with the path it took there."""

import datetime as dt
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from webapp.models import Answer, AnswerPassage, Question, now


def store_answer(
    session: Session, question: Question, release_id: int, answered: Any, *, asked_at: dt.datetime | None = None
) -> Answer:
    """Store ``answered`` (a ``webapp.releases.serving.Answered``) with its passages as the question's newest answer.

    ``asked_at``: when the memory of labels was asked for it, which knew no later label; now if not given.
    """
    hits, prediction = answered.hits, answered.prediction
    passage_id = hits[prediction.passage].passage if prediction.passage is not None else None
    answer = Answer(
        question_id=question.id, release_id=release_id, text=prediction.text, answerable=prediction.answerable,
        score=prediction.score, answerable_score=prediction.answerable_score, log_probability=prediction.log_probability,
        best_text=prediction.best_text, passage_id=passage_id, start=prediction.start, end=prediction.end,
        prompt_version=prediction.prompt_version, retrieval_s=answered.retrieval_s, answer_s=answered.answer_s,
        created_at=asked_at or now(),
    )  # fmt: skip
    session.add(answer)
    session.flush()
    if hits:
        session.execute(insert(AnswerPassage), [_row(answer.id, hit) for hit in hits])
    point = update(Question).where(Question.id == question.id).values(answer_id=answer.id)
    session.execute(point.execution_options(synchronize_session="fetch"))
    return answer


def _row(answer_id: int, hit: Any) -> dict[str, Any]:
    return {
        "answer_id": answer_id, "rank": hit.rank, "passage_id": hit.passage, "score": hit.score,
        "dense_score": hit.dense_score, "bm25_score": hit.bm25_score, "terms": list(hit.terms),
        "lift": hit.lift, "lift_label_id": hit.lift_label,
    }  # fmt: skip


def is_looked_at(question: Question) -> bool:
    """Somebody holds the question and sees its answer now: it must not change under their eyes."""
    is_held = question.lease_expires_at is not None and question.lease_expires_at > now()
    return is_held and question.answer_id is not None
