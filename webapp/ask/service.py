"""A typed question: kept first, answered live after that, so that it is there whatever becomes of the answer."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.ask import answers, queue
from webapp.corpus.questions import clean_question, question_sha256
from webapp.db import write
from webapp.engine import client
from webapp.errors import NotFound
from webapp.models import Answer, Label, Project, Question, db, now
from webapp.projects import settings as project_settings

TYPED_FIRST = -1.0
LISTED = 20


def add_question(session: Session, project: Project, text: str, *, person: Any) -> Question:
    """The question as a row leased to the person; a wording that is there already is taken up again. Raises ``Invalid``."""
    text = clean_question(text)
    sha256 = question_sha256(text)
    known = select(Question).where(Question.project_id == project.id, Question.sha256 == sha256)
    question = session.scalar(known)
    if question is None:
        question = Question(project_id=project.id, text=text, sha256=sha256, source="typed", priority=TYPED_FIRST)
        session.add(question)
        session.flush()
    queue.lease_question(session, question, person)
    return question


def question_or_404(project: Project, question_id: int) -> Question:
    question = db.session.get(Question, question_id)
    if question is None or question.project_id != project.id:
        raise NotFound("There is no such question in this project; go on with the next one of the queue.")
    return question


def waits_for_answer(session: Session, project_id: int, question_id: int) -> bool:
    """Whether the project has this question and nothing has answered it yet; one small query."""
    waiting = select(Question.id).where(
        Question.id == question_id, Question.project_id == project_id, Question.answer_id.is_(None)
    )
    return session.scalar(waiting) is not None


def answer_live(project: Project, question_id: int) -> None:
    """Ask the engine and store its answer, unless the champion has answered already and nothing was labelled since.

    Raises ``Unavailable`` naming the command that mends it; the question stays in the queue.
    """
    question = db.session.get_one(Question, question_id, populate_existing=True)
    if _is_answered(question, project.champion_id):
        return
    text, shown, asked_at = question.text, project_settings.read(project).passages_shown, now()
    answer = client.ask(project.id, text, k=shown)
    with write() as session:
        question = session.get_one(Question, question_id, populate_existing=True)
        if not _is_answered(question, answer.release_id):
            answers.store_answer(session, question, answer.release_id, answer.answered, asked_at=asked_at)


def _is_answered(question: Question, release_id: int | None) -> bool:
    """The release has answered, and no label came after that could have moved the passages."""
    if question.answer_id is None:
        return False
    answer = db.session.execute(
        select(Answer.release_id, Answer.created_at).where(Answer.id == question.answer_id)
    ).one()
    labelled = (
        select(Label.created_at).where(Label.project_id == question.project_id).order_by(Label.id.desc()).limit(1)
    )
    newest = db.session.scalar(labelled)
    return answer.release_id == release_id and (newest is None or newest <= answer.created_at)


def typed_questions(project: Project) -> list[tuple[Question, Answer | None]]:
    """The newest questions people typed, with their newest answers."""
    query = (
        select(Question, Answer).outerjoin(Answer, Answer.id == Question.answer_id)
        .where(Question.project_id == project.id, Question.source == "typed").order_by(Question.id.desc()).limit(LISTED)
    )  # fmt: skip
    return [(question, answer) for question, answer in db.session.execute(query)]
