"""A project with one label of every kind, made from rows alone: no model, no index."""

import uuid
from dataclasses import dataclass

from sqlalchemy import update

from webapp.db import write
from webapp.label import service as label_service
from webapp.label.submission import Submission
from webapp.models import Answer, AnswerPassage, Document, Passage, Person, Project, Question, Release

LUNA = "Bistro Luna opens at =9 am. Bistro Luna takes cards: yes."
SOL = "Cafe Sol opens at 8 am and has a garden."
CASES = {
    "correct": "When does Bistro Luna open?",
    "accept": "Does Bistro Luna take cards?",
    "wrong_answer": "Who cooks at Bistro Luna?",
    "wrong_passage": "Does Bistro Luna have a garden?",
    "unanswerable": "How many stars has Bistro Luna?",
    "skip": "Is it nice?",
}


@dataclass(frozen=True)
class Labelled:
    project: Project
    person: Person
    release: Release
    by_verdict: dict[str, int]  # current label of each kind
    superseded: int
    undone: int
    luna: Passage
    sol: Passage
    questions: dict[str, Question]

    @property
    def current(self) -> list[int]:
        return list(self.by_verdict.values())


def make_labelled(project: Project, person: Person) -> Labelled:
    luna, sol, release = _make_corpus(project)
    questions = {name: make_question(project, text, release, (luna, sol)) for name, text in CASES.items()}
    undone_question = make_question(project, "Will be undone?", release, (luna, sol))
    start = LUNA.index("=9 am")
    superseded = decide(questions["correct"], person, "wrong_answer")
    labels = {
        "correct": decide(
            questions["correct"],
            person,
            "correct",
            version=1,
            text="=9 am",
            passage_id=luna.id,
            start=start,
            end=start + 5,
        ),
        "accept": decide(questions["accept"], person, "accept"),
        **{
            name: decide(questions[name], person, name)
            for name in ("wrong_answer", "wrong_passage", "unanswerable", "skip")
        },
    }
    undone = decide(undone_question, person, "accept")
    with write() as session:
        label_service.undo(session, undone, person=person, submission_id=uuid.uuid4().hex)
    return Labelled(project, person, release, labels, superseded, undone, luna, sol, questions)


def _make_corpus(project: Project) -> tuple[Passage, Passage, Release]:
    with write() as session:
        passages = []
        for title, text in (("Luna", LUNA), ("Sol", SOL)):
            document = Document(project_id=project.id, title=title, text=text, sha256=uuid.uuid4().hex * 2)
            session.add(document)
            session.flush()
            passages.append(
                Passage(project_id=project.id, document_id=document.id, position=0, start=0, end=len(text), text=text)
            )
        release = Release(
            project_id=project.id,
            number=1,
            state="champion",
            answerer_path="none",
            answerer_sha256="0" * 64,
            embedder="hash",
            sha256="1" * 64,
            reason="made for a test",
        )
        session.add_all([*passages, release])
        session.flush()
        session.execute(update(Project).where(Project.id == project.id).values(champion_id=release.id))
    project.champion_id = release.id
    return passages[0], passages[1], release


def make_question(project: Project, text: str, release: Release, passages: tuple[Passage, ...]) -> Question:
    """With an answer of ``release`` that was read in the last of ``passages``."""
    said = "yes" if "cards" in text else "8 am"
    read = passages[0] if said == "yes" else passages[-1]
    with write() as session:
        question = Question(project_id=project.id, text=text, sha256=uuid.uuid4().hex * 2)
        session.add(question)
        session.flush()
        answer = Answer(
            question_id=question.id,
            release_id=release.id,
            text=said,
            answerable=True,
            score=0.5,
            answerable_score=0.5,
            log_probability=-0.7,
            best_text=said,
            passage_id=read.id,
            start=read.text.index(said),
            end=read.text.index(said) + len(said),
            prompt_version="qa-1",
            retrieval_s=0.0,
            answer_s=0.0,
        )
        session.add(answer)
        session.flush()
        session.add_all(
            AnswerPassage(answer_id=answer.id, rank=rank, passage_id=passage.id, score=1.0 / rank, terms=[])
            for rank, passage in enumerate(passages, 1)
        )
        question.answer_id = answer.id
    return question


def decide(question: Question, person: Person, verdict: str, *, version: int = 0, **values: object) -> int:
    """One decision through the submission promise; ``verdict`` may be a reject reason. Returns the label's id."""
    is_reject = verdict in ("wrong_answer", "wrong_passage", "unanswerable")
    submission = Submission(
        question_id=question.id,
        person_id=person.id,
        submission_id=uuid.uuid4().hex,
        version=version,
        verdict="reject" if is_reject else verdict,
        reject_reason=verdict if is_reject else None,
        answer_id=question.answer_id,
        seconds=1.0,
        **values,  # type: ignore[arg-type]
    )
    with write() as session:
        return label_service.submit(session, submission).id
