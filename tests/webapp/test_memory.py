"""A decision on one question moves the ranking of like questions at the next one asked, with no training in between."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import sign_in_as
from flask import Flask
from flask.testing import FlaskClient
from serving_kit import build_served
from sqlalchemy import select, update

from retriever.embedder import HashEmbedder
from tests.webapp.queue_rows import add_question, decide, form_of, labels_of
from webapp.cli import main
from webapp.db import write
from webapp.jobs.run import run_here
from webapp.jobs.service import enqueue
from webapp.models import Answer, AnswerPassage, Passage, Project, Question, db
from webapp.projects import settings
from webapp.releases.memory import ProjectMemory

ASKED = "Where can guests of the place leave the car?"
LIKE = "Where can the guests of the place leave their car?"


def passage_of(project: Project, words: str) -> int:
    query = select(Passage.id).where(Passage.project_id == project.id, Passage.text.contains(words))
    return db.session.scalars(query).one()


def ask(client: FlaskClient, project: Project, text: str) -> tuple[int, str]:
    """The question's id and its page, through the front door."""
    response = client.post(f"/p/{project.id}/ask", data={"question": text})
    assert response.status_code == 303, response.text
    page: str = client.get(response.headers["Location"]).text
    return int(re.search(r'data-question="(\d+)"', page).group(1)), page  # type: ignore[union-attr]


def ranking(page: str) -> list[int]:
    return [int(passage) for passage in re.findall(r'data-passage="(\d+)"', page)]


def label_last_as_right(client: FlaskClient, project: Project, text: str = ASKED) -> tuple[int, int]:
    """Ask, then say that the passage ranked last is the right one; the question's and the passage's id."""
    question, page = ask(client, project, text)
    right = ranking(page)[-1]
    words = db.session.get_one(Passage, right).text.split()[:2]
    decided = decide(client, project, question, form_of(page), "correct", text=" ".join(words), passage=right)
    assert decided.status_code in (200, 303), decided.text
    return question, right


def test_a_like_question_asked_next_finds_the_passage_that_a_label_named_and_says_so(
    client: FlaskClient, tmp_path: Path, engine: None
) -> None:
    project = build_served(tmp_path)
    _, right = label_last_as_right(client, project)
    _, page = ask(client, project, LIKE)
    assert ranking(page)[0] == right
    label = labels_of(project)[0].id
    assert f"Lifted by label {label}: like question “{ASKED}”" in page
    _, again = ask(client, project, ASKED)
    assert f"Lifted by label {label} on this question." in again
    _, other = ask(client, project, "Does Bar Caro serve soup?")
    assert "by label" not in other


def test_of_a_like_question_to_be_decided_blind_a_passage_tells_nothing(
    app: Flask, client: FlaskClient, tmp_path: Path, engine: None
) -> None:
    project = build_served(tmp_path)
    asked, right = label_last_as_right(client, project)
    like, _ = ask(client, project, LIKE)
    with write() as session:  # imported, shared by two people, and blind to all but who decided it
        session.execute(update(Question).where(Question.id == asked).values(source="import", state="open"))
        settings.update(session, session.get_one(Project, project.id), blind=1, overlap=2)
    ben = sign_in_as(app, "Ben", "annotator")
    for number in (like, asked):
        page = ben.get(f"/p/{project.id}/annotate/{number}").text
        assert right in ranking(page)
        assert "by label" not in page
        assert ASKED not in page or number == asked
    assert f"like question “{ASKED}”" in client.get(f"/p/{project.id}/annotate/{like}").text


def test_of_a_passage_moved_before_it_was_kept_by_which_label_nothing_is_said(
    client: FlaskClient, tmp_path: Path, engine: None
) -> None:
    project = build_served(tmp_path)
    _, right = label_last_as_right(client, project)
    like, page = ask(client, project, LIKE)
    assert "Lifted by label" in page
    with write() as session:
        session.execute(update(AnswerPassage).values(lift_label_id=None))
    again = client.get(f"/p/{project.id}/annotate/{like}").text
    assert ranking(again)[0] == right
    assert "by label" not in again


def test_an_undone_label_moves_nothing_any_more(client: FlaskClient, tmp_path: Path, engine: None) -> None:
    project = build_served(tmp_path)
    _, right = label_last_as_right(client, project)
    assert ranking(ask(client, project, LIKE)[1])[0] == right
    label = labels_of(project)[0].id
    undone = client.post(f"/p/{project.id}/annotate/undo", data={"label": label, "submission_id": "undo-it-once"})
    assert undone.status_code in (200, 303), undone.text
    _, page = ask(client, project, LIKE)
    assert ranking(page)[0] != right
    assert "by label" not in page


def test_an_edited_label_moves_what_it_says_now(client: FlaskClient, tmp_path: Path, engine: None) -> None:
    project = build_served(tmp_path)
    question, right = label_last_as_right(client, project)
    page = client.get(f"/p/{project.id}/annotate/{question}").text
    other = next(passage for passage in ranking(page) if passage != right)
    words = " ".join(db.session.get_one(Passage, other).text.split()[:2])
    decide(client, project, question, form_of(page), "correct", text=words, passage=other)
    _, page = ask(client, project, LIKE)
    assert ranking(page)[0] == other
    assert f"Lifted by label {labels_of(project)[-1].id}" in page


def test_a_rejected_passage_is_lowered_for_the_same_question(client: FlaskClient, tmp_path: Path, engine: None) -> None:
    project = build_served(tmp_path)
    question, page = ask(client, project, ASKED)
    decide(client, project, question, form_of(page), "wrong_passage")
    label = labels_of(project)[0]
    assert label.answer is not None
    _, again = ask(client, project, LIKE)
    assert ranking(again)[-1] == label.answer.passage_id
    assert f"Lowered by label {label.id}" in again


def test_a_correction_that_is_only_part_of_a_word_somewhere_names_no_passage(
    client: FlaskClient, tmp_path: Path, engine: None
) -> None:
    project = build_served(tmp_path)
    question, page = ask(client, project, ASKED)
    passages = list(db.session.scalars(select(Passage.text).where(Passage.id.in_(ranking(page)))))
    letters = max(passages[0].split(), key=len)[:3].casefold()
    assert not any(re.search(rf"\b{letters}\b", text.casefold()) for text in passages)
    decide(client, project, question, form_of(page), "correct", text=letters)
    assert len(ProjectMemory(project.id).current(HashEmbedder())) == 0


def test_a_correction_that_stands_in_several_passages_names_the_one_that_was_read(
    client: FlaskClient, tmp_path: Path, engine: None
) -> None:
    project = build_served(tmp_path)
    question, page = ask(client, project, ASKED)
    holding = [passage for passage in ranking(page) if re.search(r"\bat\b", db.session.get_one(Passage, passage).text)]
    assert len(holding) > 1
    with write() as session:
        answer = session.get_one(Answer, int(form_of(page)["answer_id"]))
        answer.passage_id = holding[-1]
    decide(client, project, question, form_of(page), "correct", text="at")
    assert [item.right for item in ProjectMemory(project.id).current(HashEmbedder()).remembered] == [(holding[-1],)]


def test_beside_a_mark_that_a_correction_begins_with_any_letter_may_stand(
    client: FlaskClient, tmp_path: Path, engine: None
) -> None:
    project = build_served(tmp_path)
    question, page = ask(client, project, ASKED)
    decide(
        client, project, question, form_of(page), "correct", text=". dogs are"
    )  # as in "at Bar Caro. Dogs are not allowed."
    assert [item.right for item in ProjectMemory(project.id).current(HashEmbedder()).remembered] == [
        (passage_of(project, "Dogs are"),)
    ]


def test_the_command_and_the_job_that_answers_ahead_use_the_same_memory(
    client: FlaskClient,
    tmp_path: Path,
    app: Flask,
    engine: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = build_served(tmp_path)
    _, right = label_last_as_right(client, project)
    label = labels_of(project)[0].id
    monkeypatch.setenv("ERRATA_HOME", str(app.config["ERRATA"].home))
    monkeypatch.setattr("sys.argv", ["errata", "ask", project.name, LIKE, "--json"])
    capsys.readouterr()
    main()
    first = json.loads(capsys.readouterr().out)["passages"][0]
    assert (first["passage"], first["lift_label"]) == (right, label)
    add_question(project, "Where can all guests of this place leave the car?")
    with write() as session:
        job = enqueue(session, "predict", project_id=project.id, payload={})
    assert run_here(job.id)
    query = (
        select(AnswerPassage.passage_id, AnswerPassage.lift_label_id)
        .join(Question, Question.answer_id == AnswerPassage.answer_id)
        .where(Question.text.startswith("Where can all"), AnswerPassage.rank == 1)
    )
    assert db.session.execute(query).one() == (right, label)


class CountingEmbedder(HashEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str], **_options: object) -> np.ndarray:
        self.seen += texts
        return super().encode(texts)


def test_a_new_label_costs_one_embedding_and_an_unchanged_project_none(
    client: FlaskClient, tmp_path: Path, engine: None
) -> None:
    project = build_served(tmp_path)
    embedder, memory = CountingEmbedder(), ProjectMemory(project.id)
    assert len(memory.current(embedder)) == 0
    label_last_as_right(client, project)
    assert len(memory.current(embedder)) == len(memory.current(embedder)) == 1
    label_last_as_right(client, project, "Is there a terrace?")
    assert len(memory.current(embedder)) == 2
    assert embedder.seen == [ASKED, "Is there a terrace?"]
