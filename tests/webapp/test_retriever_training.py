"""An iteration teaches the retriever when the project wants it to, and answerer, index and retriever go into service as one."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from serving_kit import flip_bit
from sqlalchemy import select

from tests.toys import build_span
from tests.webapp import toy_loop
from webapp.corpus.index import update_index
from webapp.db import write
from webapp.errors import Damaged
from webapp.home import absolute
from webapp.models import Iteration, Passage, Person, Project, Release, db
from webapp.projects import settings as project_settings
from webapp.projects.service import create_project
from webapp.releases.service import champion_of, promote
from webapp.releases.serving import LoadedRelease, describe, load_release

# People ask in words that no passage has: only labels can tell which passage they mean.
SUBJECTS = {
    "vehicle": "Parking is behind the station.",
    "beverage": "Wine comes from Sicily.",
    "canine": "Dogs may sit on the terrace.",
    "payment": "Cards are accepted at the till.",
    "infant": "Children eat for half the price.",
    "heating": "Stoves warm the winter garden.",
}
SHAPES = (
    "What about the {}?", "Tell me of your {} rules", "Any {} news today?", "My {} is special, so?", "Is {} possible here?",
    "Who knows of the {}?", "Why is {} so hard to find?",
)  # fmt: skip
NEW = "Do you like a vehicle?"


def make_project(folder: Path) -> Project:
    toy_loop.use_one_thread()
    folder.mkdir(parents=True, exist_ok=True)
    with write() as session:
        project = create_project(session, "Subjects", task="qa", base=str(build_span(folder / "base")), embedder="hash")
    with write() as session:
        project_settings.update(
            session, project, epochs=1.0, train_after=0, passages_shown=2, effects=0, learn_retriever="on"
        )
    documents = [{"id": word, "title": "", "text": text} for word, text in SUBJECTS.items()]
    questions = [{"question": shape.format(word)} for shape in SHAPES for word in SUBJECTS]
    toy_loop.import_lines(folder / "documents.jsonl", documents, project, "documents")
    toy_loop.import_lines(folder / "questions.jsonl", questions, project, "questions")
    update_index(project, report=toy_loop.quiet)
    return project


def label_all(project: Project, person: Person) -> None:
    for question in toy_loop.questions_of(project):
        text = next(text for word, text in SUBJECTS.items() if word in question.text)
        passage = db.session.scalars(select(Passage).where(Passage.text == text)).one()
        answer = text.split()[0]
        toy_loop.label(question, person, "correct", text=answer, passage_id=passage.id, start=0, end=len(answer))


def trained(folder: Path, person: Person) -> tuple[Project, Iteration, Release]:
    project = make_project(folder)
    label_all(project, person)
    iteration, job = toy_loop.train(project, person)
    assert job.state == "succeeded", job.error
    release = db.session.scalars(select(Release).where(Release.iteration_id == iteration.id)).one()
    return project, iteration, release


def first_passage(loaded: LoadedRelease, text: str) -> str:
    [hits] = loaded.search([text], k=1)
    return db.session.get_one(Passage, hits[0].passage).text


def test_labels_teach_the_retriever_and_the_release_carries_it(
    app: Flask, client: FlaskClient, tmp_path: Path, person: Person
) -> None:
    project, iteration, release = trained(tmp_path / "toy", person)
    assert "The retriever learned from" in iteration.config["retriever"]["sentence"]
    page = client.get(f"/p/{project.id}/iterations/{iteration.number}").text
    assert "The retriever learned from" in page
    assert release.retriever_path is not None
    first = db.session.scalars(select(Release).where(Release.number == 1, Release.project_id == project.id)).one()
    assert first_passage(load_release(describe(release)), NEW) == SUBJECTS["vehicle"]
    assert first_passage(load_release(describe(first)), NEW) != SUBJECTS["vehicle"]
    if release.state == "candidate":
        with write() as session:
            promote(session, project, session.merge(release), reason="to serve it")
    toy_loop.import_lines(
        tmp_path / "more.jsonl",
        [{"id": "x", "title": "", "text": "The house was built in 1890."}],
        project,
        "documents",
    )
    update_index(project, report=toy_loop.quiet)
    champion = champion_of(project)
    assert champion is not None
    assert champion.id != release.id
    assert champion.retriever_path == release.retriever_path
    assert first_passage(load_release(describe(champion)), NEW) == SUBJECTS["vehicle"]
    flip_bit(absolute(release.retriever_path), ".safetensors")
    with pytest.raises(Damaged, match=r"adapter\.safetensors"):
        load_release(describe(champion))


def test_a_retriever_that_collapsed_is_held_and_the_iteration_says_so(
    app: Flask, tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retriever import learning

    monkeypatch.setattr(learning, "find_collapse", lambda _vectors: "it has collapsed")
    _, iteration, release = trained(tmp_path / "toy", person)
    assert release.retriever_path is None
    assert iteration.config["retriever"]["held"]
    assert "held, because it has collapsed" in iteration.config["retriever"]["sentence"]
