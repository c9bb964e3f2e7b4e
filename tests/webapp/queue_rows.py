"""A project with questions whose answers are stored as the worker stores them, without any model."""

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from retriever.types import Hit
from training.types import Prediction
from webapp.ask.answers import store_answer
from webapp.corpus.questions import question_sha256
from webapp.db import write
from webapp.models import CorpusIndex, Document, Label, Passage, Person, Project, Question, Release, db
from webapp.projects import settings as project_settings
from webapp.releases.serving import Answered

PATIO = "Lovely patio and quick lunch. They turned us away because of the dog, so we came back on Sunday without him."
PARKING = "Kavo Bistro has a large car park behind the building and the staff were kind."


def add_release(project: Project) -> Release:
    """A champion row; no artefact lies behind it, so it can be named but not loaded. Its answers are seen: no question is blind."""
    set_project(project, blind=0)
    with write() as session:
        index = CorpusIndex(
            project_id=project.id, path="none", sha256="0" * 64, embedder="hash", documents=1, passages=2
        )
        session.add(index)
        number = len(list(session.scalars(select(Release.id).where(Release.project_id == project.id)))) + 1
        release = Release(project_id=project.id, number=number, state="champion", answerer_path="none", answerer_sha256="0" * 64,
                          embedder="hash", sha256="0" * 64)  # fmt: skip
        session.add(release)
        session.flush()
        release.index_id = index.id
        session.get_one(Project, project.id).champion_id = release.id
    return release


def add_passages(project: Project, *texts: str, title: str = "Kavo Bistro, review 18") -> list[int]:
    with write() as session:
        document = Document(
            project_id=project.id, title=title, text="\n".join(texts), sha256=question_sha256("".join(texts))
        )
        session.add(document)
        session.flush()
        passages, start = [], 0
        for position, text in enumerate(texts):
            row = Passage(
                project_id=project.id,
                document_id=document.id,
                position=position,
                start=start,
                end=start + len(text),
                text=text,
            )
            start += len(text) + 1
            session.add(row)
            passages.append(row)
        session.flush()
        return [row.id for row in passages]


def add_question(project: Project, text: str, **values: Any) -> int:
    with write() as session:
        row = Question(project_id=project.id, text=text, sha256=question_sha256(text), **values)
        session.add(row)
        session.flush()
        return row.id


def add_answer(question_id: int, release: Release, text: str, passages: list[int], **values: Any) -> int:
    """``text`` "" for not answerable. The first passage is the one that was read."""
    hits = tuple(Hit(passage, rank, 0.83 / rank, 0.5, 1.0, ("dog", "kavo")) for rank, passage in enumerate(passages, 1))
    shown = {
        "score": 0.38,
        "answerable_score": 0.38,
        "log_probability": -1.2,
        "best_text": text,
        "prompt_version": "qa-1",
    }
    prediction = Prediction(text=text, answerable=bool(text), passage=0 if passages else None, **{**shown, **values})
    with write() as session:
        question = session.get_one(Question, question_id)
        return store_answer(session, question, release.id, Answered(hits, prediction, 0.006, 0.02)).id


def add_queue(project: Project, count: int, *, answer: str = "Yes, dogs are welcome at Kavo Bistro.") -> list[int]:
    """``count`` questions, each with an answer and two passages."""
    release = add_release(project)
    passages = add_passages(project, PATIO, PARKING)
    questions = [
        add_question(project, f"Can I bring my dog to Kavo Bistro on day {number}?") for number in range(1, count + 1)
    ]
    for question_id in questions:
        add_answer(question_id, release, answer, passages, start=30, end=70)
    return questions


def set_project(project: Project, **changes: Any) -> None:
    with write() as session:
        project_settings.update(session, session.get_one(Project, project.id), **changes)


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of the decision form on a page."""
    import re

    names = ("submission_id", "version", "person", "answer_id", "blind", "shown_at", "start", "end", "evidence_passage")
    fields = {}
    start = page.index('id="verdict"')
    for name in names:
        found = re.search(rf'name="{name}" value="([^"]*)"', page[start:])
        fields[name] = found.group(1) if found else ""
    return fields


def next_page(client: FlaskClient, project: Project) -> str:
    """As without a script: the button, the redirect, the page."""
    response = client.post(f"/p/{project.id}/annotate/next")
    assert response.status_code == 303, response.text
    page: str = client.get(response.headers["Location"]).text
    return page


def take(client: FlaskClient, project: Project) -> tuple[int, dict[str, str]]:
    """The next question's id and its form, through the front door."""
    import re

    page = next_page(client, project)
    found = re.search(r'data-question="(\d+)"', page)
    assert found, page
    return int(found.group(1)), form_of(page)


def decide(
    client: FlaskClient, project: Project, question_id: int, form: dict[str, str], decision: str, **more: Any
) -> Any:
    headers = more.pop("headers", {})
    return client.post(
        f"/p/{project.id}/annotate/{question_id}", data={**form, "decision": decision, **more}, headers=headers
    )


def labels_of(project: Project) -> list[Label]:
    db.session.rollback()
    query = select(Label).where(Label.project_id == project.id).order_by(Label.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def person_named(name: str) -> Person:
    return db.session.scalars(select(Person).where(Person.name == name)).one()
