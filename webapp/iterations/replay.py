"""Gold rows play the annotator: they answer what the model in service says, round by round, and each round trains an iteration.

The project gets the rows' contexts as documents and their questions without answers, so that nothing is known that was not
labelled. The player accepts what scores 0.9 or more against gold, rejects the passage when no right one was retrieved, and corrects
the rest. Finished rounds are kept in the project's folder: the same command again goes on where it stopped.
"""

import hashlib
import json
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from training.tasks import Task, get_task
from training.types import Gold, Prediction, QuestionRow, Report
from webapp import home
from webapp.ask.answers import store_answer
from webapp.corpus.importing import import_file
from webapp.corpus.index import is_out_of_date, update_index
from webapp.corpus.questions import clean_question, question_sha256
from webapp.db import write
from webapp.errors import Invalid
from webapp.iterations import service
from webapp.iterations.evaluation import corpus_passages, evaluate_release, read_gold
from webapp.iterations.relevance import Sought, relevant_passages
from webapp.jobs.run import wait
from webapp.label import service as label_service
from webapp.label.submission import Submission
from webapp.models import Label, Person, Project, Question, db
from webapp.people.service import create_person
from webapp.projects.settings import read as read_settings
from webapp.releases.service import champion_of
from webapp.releases.serving import Answered, LoadedRelease, describe, load_release

PLAYER = "replay"
GOOD = 0.9
STRATEGIES = ("random", "uncertain")
LOOKED_AT = 4  # for each label the uncertain strategy looks at so many questions


@dataclass(frozen=True)
class Plan:
    gold: Path
    test: Path
    rounds: int
    per_round: int
    strategy: str
    seed: int

    @property
    def key(self) -> str:
        files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.gold, self.test)]
        return hashlib.sha256(repr((files, self.per_round, self.strategy, self.seed)).encode()).hexdigest()[:16]


def replay(project: Project, plan: Plan, report: Report) -> list[dict[str, Any]]:
    """``{labels, release, decision, metrics, seconds}`` per round. Raises ``Invalid`` for files or a plan that cannot be played."""
    if plan.strategy not in STRATEGIES:
        raise Invalid(f"The strategy is one of {', '.join(STRATEGIES)}, not {plan.strategy!r}.")
    task = get_task(project.task)
    rows = _pool(task, plan.gold)
    read_gold(task, plan.test, [])  # refused now rather than after the first training
    _prepare(project, list(rows.values()), report)
    player = _player()
    done_path = home.project_folder(project.id) / f"replay-{plan.key}.json"
    done: list[dict[str, Any]] = json.loads(done_path.read_text()) if done_path.exists() else []
    relevant = relevant_passages(
        [Sought(sha, row.context, tuple(text for text, _ in row.answers)) for sha, row in rows.items() if row.answers],
        corpus_passages(project),
    )
    for number in range(len(done) + 1, plan.rounds + 1):
        report((number - 1) / plan.rounds, f"Round {number} of {plan.rounds}")
        done.append(_round(project, plan, number, Pool(rows, relevant, player)))
        done_path.write_text(json.dumps(done), encoding="utf-8")
    return done[: plan.rounds]


@dataclass(frozen=True)
class Pool:
    """Gold rows by the hash of their question, the passages that answer each, and who plays."""

    rows: dict[str, QuestionRow]
    relevant: dict[str, set[int]]
    player: Person


def _pool(task: Task, path: Path) -> dict[str, QuestionRow]:
    rows: dict[str, QuestionRow] = {}
    for row in read_gold(task, path, []):
        rows.setdefault(question_sha256(clean_question(row.question)), row)
    return rows


def _prepare(project: Project, rows: Sequence[QuestionRow], report: Report) -> None:
    folder = home.project_folder(project.id)
    folder.mkdir(parents=True, exist_ok=True)
    documents = [{"title": row.title, "text": row.context} for row in {row.context: row for row in rows}.values()]
    for kind, lines in (("documents", documents), ("questions", [{"question": row.question} for row in rows])):
        path = folder / f"replay-{uuid.uuid4().hex}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        try:
            import_file(path, project=project, kind=kind)
        finally:
            path.unlink()
    if is_out_of_date(project):
        update_index(project, report=report)


def _player() -> Person:
    found = db.session.scalar(select(Person).where(Person.name == PLAYER))
    if found is not None:
        return found
    with write() as session:
        return create_person(session, PLAYER, role="annotator")


def _round(project: Project, plan: Plan, number: int, pool: Pool) -> dict[str, Any]:
    began = time.monotonic()
    db.session.expire_all()
    champion = champion_of(project)
    if champion is None:
        raise Invalid(
            f'{project.name} has no release to start from; build the index first: `errata index "{project.name}"`.'
        )
    labelled = _count_labels(project, pool.player)
    missing = number * plan.per_round - labelled
    if missing > 0:
        _label(project, plan, pool, load_release(describe(champion)), missing)
    decision = _train(project, plan, number)
    evaluated = evaluate_release(project, plan.test, mode="given", number=None, report=lambda *_: None)
    return {
        "round": number, "labels": _count_labels(project, pool.player), "release": evaluated.release, "decision": decision,
        "metrics": evaluated.metrics, "seconds": time.monotonic() - began,
    }  # fmt: skip


def _count_labels(project: Project, player: Person) -> int:
    statement = label_service.current_labels(project.id).where(Label.person_id == player.id).with_only_columns(Label.id)
    return len(db.session.scalars(statement).all())


def _train(project: Project, plan: Plan, number: int) -> str:
    try:
        with write() as session:
            iteration = service.start(session, project, person=None, reason=f"Replay round {number}, seed {plan.seed}.")
    except Invalid as error:
        return f"not trained: {error}"
    job = wait(iteration.job_id)
    if job.state != "succeeded":
        return f"{job.state}: {job.error}"
    return str((job.result or {})["gate"]["decision"])


def _label(project: Project, plan: Plan, pool: Pool, loaded: LoadedRelease, count: int) -> None:
    """Label ``count`` questions nobody has labelled, chosen by the plan's strategy."""
    taken = select(Label.question_id).where(Label.project_id == project.id)
    statement = select(Question).where(
        Question.project_id == project.id, Question.sha256.in_(pool.rows), Question.id.not_in(taken)
    )
    questions = list(db.session.scalars(statement.order_by(Question.id)))
    chooser = random.Random(f"{plan.seed}:{len(questions)}")
    chooser.shuffle(questions)
    looked_at = questions[: count * LOOKED_AT if plan.strategy == "uncertain" else count]
    answered = loaded.answer([question.text for question in looked_at], k=read_settings(project).passages_shown)
    pairs = list(zip(looked_at, answered, strict=True))
    if plan.strategy == "uncertain":
        pairs.sort(key=lambda pair: pair[1].prediction.score)
    for question, one in pairs[:count]:
        with write() as session:
            asked = session.get_one(Question, question.id)
            answer = store_answer(session, asked, loaded.files.release_id, one)
            label_service.submit(session, _decide(asked, answer.id, one, pool=pool, task=get_task(project.task)))


def _decide(question: Question, answer_id: int, answered: Answered, *, pool: Pool, task: Task) -> Submission:
    row = pool.rows[question.sha256]
    right = [hit.passage for hit in answered.hits if hit.passage in pool.relevant.get(question.sha256, ())]
    decision: dict[str, Any]
    if _score(answered.prediction, row, task) >= GOOD:
        decision = {"verdict": "accept"}
    elif not row.answers:
        decision = {"verdict": "reject", "reject_reason": "unanswerable"}
    elif not right:
        decision = {"verdict": "reject", "reject_reason": "wrong_passage"}
    else:
        decision = {"verdict": "correct", "text": row.answers[0][0], "passage_id": right[0]}
    return Submission(question.id, pool.player.id, uuid.uuid4().hex, 0, answer_id=answer_id, **decision)


def _score(prediction: Prediction, row: QuestionRow, task: Task) -> float:
    gold = Gold("1", row.question, (), tuple(text for text, _ in row.answers))
    return task.score_each([prediction], [gold])[0][task.PRIMARY_METRIC]
