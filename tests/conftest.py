"""A real app on a temporary ERRATA_HOME with a real SQLite file, and a browser signed in as an administrator."""

import contextvars
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Toy models are too small to share: several threads on few cores spend their time waiting for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from flask import Flask, session
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf
from sqlalchemy import event

from webapp import create_app, create_base
from webapp.db import write
from webapp.migrate import upgrade_database
from webapp.models import Person, Project, db
from webapp.people import service as people
from webapp.projects.service import create_project
from webapp.settings import Settings

# How fast examples are made says how busy the machine is, not whether the code is right.
hypothesis_settings.register_profile("errata", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("errata")

UNSAFE_METHODS = ("POST", "PUT", "PATCH", "DELETE")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, help="keep the browser tests' screenshots in this folder")


class Browser(FlaskClient):
    """A client that, like our pages, sends the CSRF token with every unsafe request; ``csrf=False`` leaves it out.

    Each request runs in a context of its own, as on a server; afterwards the test's session reads everything anew.
    """

    def open(self, *args: Any, csrf: bool = True, **kwargs: Any) -> Any:
        if csrf and kwargs.get("method") in UNSAFE_METHODS:
            kwargs["headers"] = {
                "X-CSRFToken": contextvars.Context().run(self._csrf_token),
                **dict(kwargs.get("headers") or {}),
            }
        response = contextvars.Context().run(super().open, *args, **kwargs)
        db.session.rollback()
        db.session.expire_all()
        return response

    def _csrf_token(self) -> str:
        with self.session_transaction() as stored, self.application.test_request_context():
            session.update(stored)
            token: str = generate_csrf()
            stored.update(session)
        return token


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by the migrations once; each test gets a copy."""
    folder = tmp_path_factory.mktemp("template")
    app = create_base(Settings(home=folder))
    with app.app_context():
        upgrade_database()
        db.engine.dispose()
    return folder / "errata.sqlite3"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", threads=4, open_browser=False)


@pytest.fixture
def app(settings: Settings, empty_database: Path) -> Iterator[Flask]:
    """The web app, with an application context pushed for calls to services."""
    settings.home.mkdir(mode=0o700)
    shutil.copyfile(empty_database, settings.home / "errata.sqlite3")
    app = create_app(settings)
    app.testing = True
    app.test_client_class = Browser
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def sign_in_as(app: Flask, name: str, role: str) -> FlaskClient:
    """A browser signed in as a new person, through the front door."""
    with write() as rows:
        token = people.create_link(rows, people.create_person(rows, name, role=role))
    client = app.test_client()
    response = client.post("/sign-in", data={"token": token})
    assert response.status_code == 303, response.text
    return client


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Signed in as an administrator named Ada."""
    return sign_in_as(app, "Ada", "admin")


@pytest.fixture
def annotator(app: Flask) -> FlaskClient:
    """Signed in as an annotator named Ben."""
    return sign_in_as(app, "Ben", "annotator")


@pytest.fixture
def anonymous(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def project(app: Flask) -> Project:
    """A question answering project named Restaurants with the toy embedder; no documents, no release."""
    with write() as rows:
        return create_project(rows, "Restaurants", task="qa", base="starter", embedder="hash")


@pytest.fixture
def person(app: Flask) -> Person:
    """An engineer named Cy who is not signed in anywhere."""
    with write() as rows:
        return people.create_person(rows, "Cy", role="engineer")


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """What the database was asked, as it goes."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)
