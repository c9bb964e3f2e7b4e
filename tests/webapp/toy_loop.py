"""A small project whose corpus, questions and right answers are known, around a tiny untrained model."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from tests.toys import CITIES, NAMES, build_span
from training.types import Input
from webapp.ask.answers import store_answer
from webapp.corpus.importing import import_file
from webapp.corpus.index import update_index
from webapp.db import write
from webapp.iterations import service as iterations
from webapp.jobs.run import run_here
from webapp.jobs.service import job_or_404
from webapp.label import service as label_service
from webapp.label.submission import Submission
from webapp.models import AnswerPassage, Iteration, Job, Label, Passage, Person, Project, Question, db
from webapp.projects import settings as project_settings
from webapp.projects.service import create_project
from webapp.releases.service import champion_of
from webapp.releases.serving import LoadedRelease, describe, load_release

EPOCHS = 14.0


def right_answers() -> dict[str, str]:
    """Question -> city; every document says where one person lives."""
    return {f"Where does {name} live ?": CITIES[i % len(CITIES)] for i, name in enumerate(NAMES)} | {
        f"Where does {name} live now ?": CITIES[i % len(CITIES)] for i, name in enumerate(NAMES)
    }


def quiet(_fraction: float, _message: str) -> None:
    return None


def use_one_thread() -> None:
    """Several torch threads on shared cores spend their time waiting for each other."""
    import torch

    torch.set_num_threads(1)


def make_project(folder: Path, *, base: str | None = None, build: Callable[[Path], Path] = build_span) -> Project:
    """Imported, indexed and with an untrained champion in service."""
    use_one_thread()
    folder.mkdir(parents=True, exist_ok=True)
    with write() as session:
        project = create_project(
            session, "People", task="qa", base=base or str(build(folder / "base")), embedder="hash"
        )
    with write() as session:
        project_settings.update(session, project, epochs=EPOCHS, train_after=0, passages_shown=1)
    documents = [
        {"id": name, "title": "", "text": f"{name} lives in {CITIES[i % len(CITIES)]} ."}
        for i, name in enumerate(NAMES)
    ]
    import_lines(folder / "documents.jsonl", documents, project, "documents")
    import_lines(
        folder / "questions.jsonl", [{"question": question} for question in right_answers()], project, "questions"
    )
    update_index(project, report=quiet)
    return project


def import_lines(path: Path, rows: list[dict[str, object]], project: Project, kind: str) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = import_file(path, project=project, kind=kind)
    assert result.added == len(rows), result


def load_champion(project: Project) -> LoadedRelease:
    db.session.rollback()
    champion = champion_of(project)
    assert champion is not None
    return load_release(describe(champion))


def answer_queue(project: Project, loaded: LoadedRelease) -> None:
    questions = list(
        db.session.scalars(select(Question).where(Question.project_id == project.id).order_by(Question.id))
    )
    answered = loaded.answer([question.text for question in questions], k=1)
    with write() as session:
        for question, one in zip(questions, answered, strict=True):
            store_answer(session, session.merge(question), loaded.files.release_id, one)


def questions_of(project: Project) -> list[Question]:
    return list(db.session.scalars(select(Question).where(Question.project_id == project.id).order_by(Question.id)))


def label(question: Question, person: Person, verdict: str, **changes: object) -> Label:
    """One decision through the submission promise; ``verdict`` may be a reject reason."""
    is_reject = verdict in ("wrong_answer", "wrong_passage", "unanswerable")
    with write() as session:
        question = session.get_one(Question, question.id, populate_existing=True)
        newest = label_service.newest_label(session, question, person.id)
        values: dict[str, object] = {
            "question_id": question.id, "person_id": person.id, "submission_id": uuid.uuid4().hex,
            "version": newest.version if newest else 0, "verdict": "reject" if is_reject else verdict,
            "reject_reason": verdict if is_reject else None, "answer_id": question.answer_id, "seconds": 1.0,
        }  # fmt: skip
        return label_service.submit(session, Submission(**{**values, **changes}))  # type: ignore[arg-type]


def right_passage(question: Question) -> Passage:
    """The shown passage that holds the right answer for the person asked about, else any passage that does."""
    name = question.text.split()[2]
    statement = select(Passage).where(Passage.project_id == question.project_id, Passage.text.startswith(name))
    return db.session.scalars(statement).one()


def correct_all(project: Project, person: Person) -> list[Label]:
    """Every question gets the right answer, pointed at in the right passage."""
    made = []
    for question in questions_of(project):
        passage, answer = right_passage(question), right_answers()[question.text]
        start = passage.text.index(answer)
        made.append(
            label(question, person, "correct", text=answer, passage_id=passage.id, start=start, end=start + len(answer))
        )
    return made


def train(project: Project, person: Person | None = None) -> tuple[Iteration, Job]:
    with write() as session:
        iteration = iterations.start(session, project, person=person)
    assert run_here(iteration.job_id)
    db.session.rollback()
    db.session.expire_all()
    return iterations.iteration_or_404(project.id, iteration.number), job_or_404(iteration.job_id)


def ask(loaded: LoadedRelease, text: str, passage: str) -> str:
    [prediction] = loaded.task.predict(loaded.answerer, [Input("1", text, (passage,))])
    return str(prediction.text)


def shown(answer_id: int) -> list[int]:
    return list(db.session.scalars(select(AnswerPassage.passage_id).where(AnswerPassage.answer_id == answer_id)))
