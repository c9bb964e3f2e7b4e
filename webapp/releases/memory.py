"""What a project's labels say of passages, kept beside a loaded release and brought up to date before each use.

Labels are append-only, so one look at the newest id tells whether anything was decided, edited or undone, and only newer rows are
read: a decision moves the ranking of like questions at the next question asked.
"""

import threading
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from retriever.memory import Memory, Remembered
from training.answerers.rows import find_answer
from webapp.models import Answer, AnswerPassage, Label, Passage, Question, db

# The newest ones: a fresh process embeds them all before its first answer, about 3 ms each.
MOST_REMEMBERED = 3000


class ProjectMemory:
    """Thread-safe. Needs an application context."""

    def __init__(self, project_id: int) -> None:
        self._project_id = project_id
        self._lock = threading.Lock()
        self._seen = (0, 0)
        self._held: dict[int, Remembered] = {}
        self._memory = Memory.empty()

    def current(self, embedder: Any) -> Memory:
        """The memory of every label there is now; ``embedder`` sees only the questions that are new."""
        with self._lock:
            seen = _seen(self._project_id)
            if seen != self._seen:
                self._read_newer(seen)
                newest = [self._held[label] for label in sorted(self._held)[-MOST_REMEMBERED:]]
                self._memory = self._memory.with_remembered(newest, encode=embedder.encode)
                self._seen = seen
            return self._memory

    def _read_newer(self, seen: tuple[int, int]) -> None:
        newer = _judged(self._project_id, after=self._seen[0])
        if self._seen[1] + len(newer) != seen[1]:  # a row with a lower id was committed late: read them all
            self._held, newer = {}, _judged(self._project_id, after=0)
        for row in newer:
            self._held.pop(row.supersedes_id, None)
            if row.verdict not in ("skip", "undo"):
                self._held[row.id] = _remembered(row)
        db.session.rollback()  # no model runs while a read transaction is open


def _seen(project_id: int) -> tuple[int, int]:
    query = select(func.max(Label.id), func.count()).where(Label.project_id == project_id)
    newest, count = db.session.execute(query).one()
    db.session.rollback()
    return newest or 0, count


def _judged(project_id: int, *, after: int) -> Sequence[Any]:
    return db.session.execute(
        select(
            Label.id, Label.supersedes_id, Label.verdict, Label.reject_reason, Label.text, Label.passage_id, Label.answer_id,
            Question.text.label("question"), Answer.passage_id.label("read_passage"),
        )
        .join(Question, Question.id == Label.question_id)
        .outerjoin(Answer, Answer.id == Label.answer_id)
        .where(Label.project_id == project_id, Label.id > after)
        .order_by(Label.id)
    ).all()  # fmt: skip


def _remembered(row: Any) -> Remembered:
    """A passage a person pointed to, or an answer accepted from it, is right; "wrong passage" rejects the one that was read."""
    rejected = None
    if row.reject_reason == "wrong_passage":
        rejected = row.read_passage or _first_shown(row.answer_id) or row.passage_id
    is_answer = row.verdict in ("accept", "correct") and bool(row.text.strip())
    is_none = row.reject_reason == "unanswerable" or (row.verdict == "accept" and not is_answer)
    right = row.passage_id if row.passage_id != rejected and not is_none else None
    if right is None and is_answer:
        right = _passage_with(row)
    return Remembered(row.id, row.question, _as_tuple(right), _as_tuple(rejected))


def _as_tuple(passage: int | None) -> tuple[int, ...]:
    return (passage,) if passage is not None else ()


def _passage_with(row: Any) -> int | None:
    """The passage of an answer for which a person chose none: where it was read, or for a correction where its words stand."""
    if row.verdict == "accept":
        found: int | None = row.read_passage
        return found
    text, shown = row.text.strip(), _shown(row.answer_id)
    shown.sort(key=lambda passage: passage.id != row.read_passage)
    return next((passage.id for passage in shown if find_answer(text, passage.text) is not None), None)


def _first_shown(answer_id: int | None) -> int | None:
    shown = _shown(answer_id)
    return shown[0].id if shown else None


def _shown(answer_id: int | None) -> list[Any]:
    if answer_id is None:
        return []
    query = select(Passage.id, Passage.text).join(AnswerPassage, AnswerPassage.passage_id == Passage.id)
    return list(db.session.execute(query.where(AnswerPassage.answer_id == answer_id).order_by(AnswerPassage.rank)))
