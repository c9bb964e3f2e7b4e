"""The player of a replay: gold rows choose what to label as the queue would, look at what the model says, and decide as a person would.

It accepts what scores 0.9 or more against gold; says unanswerable where gold has no answer; rejects the passage when none of the right
ones was retrieved; and corrects the rest in the first right passage that was.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from training.tasks import Task, get_task
from training.types import Gold, Prediction, QuestionRow
from webapp.ask import strategies
from webapp.ask.answers import store_answer
from webapp.ask.ordering import slice_scores
from webapp.db import write
from webapp.label import service as label_service
from webapp.label.submission import Submission
from webapp.models import Label, Person, Project, Question, db
from webapp.people.service import create_person
from webapp.projects.settings import read as read_settings
from webapp.releases.serving import Answered, LoadedRelease

PLAYER = "replay"
GOOD = 0.9
ASKING = (
    "uncertain",
    "uncertain_diverse",
    "worst_slice",
)  # strategies that need the model's answers before they choose
LOOKED_AT = 4  # for each label they look at so many questions


@dataclass(frozen=True)
class Pool:
    """Gold rows by the hash of their question, the passages that answer each, and who plays."""

    rows: dict[str, QuestionRow]
    relevant: dict[str, set[int]]
    player: Person


def find_player(name: str = PLAYER) -> Person:
    found = db.session.scalar(select(Person).where(Person.name == name))
    if found is not None:
        return found
    with write() as session:
        return create_person(session, name, role="annotator")


def label_more(project: Project, pool: Pool, loaded: LoadedRelease, count: int, *, strategy: str, seed: int) -> None:
    """Label ``count`` questions nobody has labelled, in the order of ``strategy``."""
    questions = _unlabelled(project, pool)
    answers: dict[int, Answered] = {}
    if strategy in ASKING:
        first = _order(questions, {}, "random", seed)[: count * LOOKED_AT]
        answers = _ask(project, loaded, [questions[number] for number in first])
        questions = {number: questions[number] for number in first}
    chosen = _order(questions, answers, strategy, seed, labelled=_labelled(project), scores=slice_scores(project))
    asked = [questions[number] for number in chosen[:count]]
    answers |= _ask(project, loaded, [question for question in asked if question.id not in answers])
    for question in asked:
        with write() as session:
            row = session.get_one(Question, question.id)
            answer = store_answer(session, row, loaded.files.release_id, answers[question.id])
            label_service.submit(session, decide(row, answer.id, answers[question.id], pool, get_task(project.task)))


def _unlabelled(project: Project, pool: Pool) -> dict[int, Question]:
    taken = select(Label.question_id).where(Label.project_id == project.id)
    statement = select(Question).where(
        Question.project_id == project.id, Question.sha256.in_(pool.rows), Question.id.not_in(taken)
    )
    return {question.id: question for question in db.session.scalars(statement.order_by(Question.id))}


def _labelled(project: Project) -> list[str]:
    statement = (
        select(Question.text).join(Label, Label.question_id == Question.id).where(Label.project_id == project.id)
    )
    return list(dict.fromkeys(db.session.scalars(statement)))


def _ask(project: Project, loaded: LoadedRelease, questions: Sequence[Question]) -> dict[int, Answered]:
    if not questions:
        return {}
    answered = loaded.answer([question.text for question in questions], k=read_settings(project).passages_shown)
    return {question.id: one for question, one in zip(questions, answered, strict=True)}


def _order(
    questions: dict[int, Question],
    answers: dict[int, Answered],
    strategy: str,
    seed: int,
    *,
    labelled: Sequence[str] = (),
    scores: dict[str, float] | None = None,
) -> list[int]:
    candidates = [_candidate(question, answers.get(number)) for number, question in questions.items()]
    diverse_from = labelled if "diverse" in strategy else ()
    return strategies.order(candidates, strategy, seed, labelled=diverse_from, slice_scores=scores)


def _candidate(question: Question, answered: Answered | None) -> strategies.Candidate:
    if answered is None:
        return strategies.Candidate(question.id, question.text)
    said = answered.prediction
    slice_name = strategies.slice_of(question.text, is_answered=said.answerable)
    return strategies.Candidate(question.id, question.text, said.score, slice_name)


def decide(question: Question, answer_id: int, answered: Answered, pool: Pool, task: Task) -> Submission:
    row = pool.rows[question.sha256]
    right = [hit.passage for hit in answered.hits if hit.passage in pool.relevant.get(question.sha256, ())]
    decision: dict[str, Any]
    if score_against(answered.prediction, row, task) >= GOOD:
        decision = {"verdict": "accept"}
    elif not row.answers:
        decision = {"verdict": "reject", "reject_reason": "unanswerable"}
    elif not right:
        decision = {"verdict": "reject", "reject_reason": "wrong_passage"}
    else:
        decision = {"verdict": "correct", "text": row.answers[0][0], "passage_id": right[0]}
    return Submission(question.id, pool.player.id, uuid.uuid4().hex, 0, answer_id=answer_id, **decision)


def score_against(prediction: Prediction, row: QuestionRow, task: Task) -> float:
    gold = Gold("1", row.question, (), tuple(text for text, _ in row.answers))
    return task.score_each([prediction], [gold])[0][task.PRIMARY_METRIC]
