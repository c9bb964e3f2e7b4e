"""The engine over its loopback HTTP, and what its client says when it is not there."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from serving_kit import add_candidate, build_served

from retriever.types import Hit
from training.types import Prediction
from webapp.db import write
from webapp.engine import client
from webapp.engine.champions import Champions
from webapp.engine.wire import KEY_HEADER, EngineAnswer, from_json, to_json
from webapp.errors import NotFound, Unavailable
from webapp.models import Process, Project, db, now
from webapp.processes.engine import run
from webapp.projects.service import delete_project
from webapp.releases import service
from webapp.releases.serving import Answered


@pytest.fixture
def engine(app: Flask) -> Iterator[str]:
    """The whole engine in threads of this process, found through the process table."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(app,), kwargs={"stop": stop}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                url = client.engine_url()
                break
            except Unavailable:
                assert time.monotonic() < deadline
                db.session.rollback()
                time.sleep(0.05)
        yield url
    finally:
        stop.set()
        thread.join(10)


def call(url: str, *, body: object = None, key: str = "") -> tuple[int, dict[str, object]]:
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers={KEY_HEADER: key})) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_an_answer_survives_the_wire() -> None:
    hit = Hit(passage=3, rank=1, score=0.5, dense_score=None, bm25_score=2.5, terms=("nine", "opens"))
    prediction = Prediction("nine", True, 0.9, 0.8, -0.1, "nine", passage=0, start=3, end=7, prompt_version="qa-1")
    answer = EngineAnswer(7, Answered((hit,), prediction, 0.01, 0.02))
    assert from_json(json.loads(json.dumps(to_json(answer)))) == answer


def test_a_typed_question_is_answered_live(app: Flask, engine: str, tmp_path: Path) -> None:
    project = build_served(tmp_path)
    answer = client.ask(project.id, "Where does the wine come from?", k=3)
    assert answer.release_id == project.champion_id
    assert [hit.rank for hit in answer.answered.hits] == [1, 2, 3]
    assert answer.answered.hits[0].terms
    assert 0 <= answer.answered.prediction.score <= 1
    assert client.state()["held"][0]["number"] == 1


def test_a_promotion_reaches_the_engine_by_itself(app: Flask, engine: str, tmp_path: Path) -> None:
    project = build_served(tmp_path)
    client.ask(project.id, "Are dogs allowed?", k=2)
    candidate = add_candidate(project)
    with write() as session:
        service.promote(session, project, candidate, reason="test")
    deadline = time.monotonic() + 60
    while client.state()["held"][0]["number"] != 2:  # nobody asks meanwhile
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert client.ask(project.id, "Are dogs allowed?", k=2).release_id == candidate.id


def test_only_who_knows_the_key_is_answered(app: Flask, engine: str) -> None:
    assert call(f"{engine}/state")[0] == 403
    assert call(f"{engine}/ask", body={"project": 1, "text": "x"}, key="wrong")[0] == 403
    assert call(f"{engine}/healthz") == (200, {"ok": True})
    key = (app.config["ERRATA"].home / "engine.key").read_text()
    assert call(f"{engine}/state", key=key)[0] == 200
    assert (app.config["ERRATA"].home / "engine.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"project": "1", "text": "x"},
        {"project": 1, "text": ""},
        {"project": 1, "text": "x" * 20_001},
        {"project": 1, "text": "x", "k": 0},
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(app: Flask, engine: str, body: object) -> None:
    key = (app.config["ERRATA"].home / "engine.key").read_text()
    status, answer = call(f"{engine}/ask", body=body, key=key)
    assert status == 400
    assert "Expected" in str(answer["error"])


def test_a_project_without_a_release_is_said(app: Flask, engine: str, project: Project) -> None:
    with pytest.raises(NotFound, match="no release in service"):
        client.ask(project.id, "Anything?", k=1)


def test_no_engine_names_the_command_that_starts_it(app: Flask, project: Project) -> None:
    with pytest.raises(Unavailable, match="errata engine"):
        client.ask(project.id, "Anything?", k=1)
    with write() as session:
        session.add(Process(name="engine", pid=1, url="http://127.0.0.1:9", heartbeat_at=now()))
    with pytest.raises(Unavailable, match="cannot be reached; start it with `errata engine`"):
        client.ask(project.id, "Anything?", k=1)


def test_the_project_not_asked_for_longest_is_let_go(app: Flask, tmp_path: Path) -> None:
    champions = Champions(app, capacity=2)
    projects = []
    for name in ("One", "Two", "Three"):
        (tmp_path / name).mkdir()
        projects.append(build_served(tmp_path / name, name=name))
    one, two, three = projects
    for project in (one, two, one, three):
        champions.ask(project.id, "Are dogs allowed?", k=1)
    assert set(champions.held()) == {one.id, three.id}


def test_a_deleted_project_is_not_answered(app: Flask, tmp_path: Path) -> None:
    champions = Champions(app, capacity=2)
    project = build_served(tmp_path)
    champions.ask(project.id, "Are dogs allowed?", k=1)
    with write() as session:
        delete_project(session, project)
    time.sleep(0.35)
    with pytest.raises(NotFound):
        champions.ask(project.id, "Are dogs allowed?", k=1)
