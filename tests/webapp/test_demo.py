"""The demo project is made once, finished when it was interrupted, and found again."""

import re
from pathlib import Path

import pytest
import toys
from flask import Flask
from sqlalchemy import func, select

from training.recipes.demo import GOLD
from webapp.ask.ordering import order_queue
from webapp.corpus.importing import import_file
from webapp.datasets.freeze import freeze
from webapp.demo import setup
from webapp.models import Document, Project, Question, Release, db
from webapp.releases.service import champion_of


@pytest.fixture(autouse=True)
def small_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toys.build_span(tmp_path / "model")
    monkeypatch.setattr(setup, "BASE", str(tmp_path / "model"))
    monkeypatch.setattr(setup, "EMBEDDER", "hash")


def count(table: type) -> int:
    return int(db.session.scalar(select(func.count()).select_from(table)) or 0)


def test_the_demo_has_documents_questions_and_a_release(app: Flask) -> None:
    said: list[str] = []
    project = setup.prepare_demo(say=said.append)
    assert count(Document) >= 100
    assert count(Question) >= 100
    assert champion_of(project) is not None
    assert len(said) == 3
    before = (count(Document), count(Question), count(Release))
    assert setup.prepare_demo(say=said.append).id == project.id
    assert (count(Document), count(Question), count(Release)) == before
    assert len(said) == 3  # nothing to say the second time


def test_the_demo_has_a_steady_test_split_before_anybody_labels(app: Flask) -> None:
    project = setup.prepare_demo(say=lambda _: None)
    assert freeze(project).counts["test"] >= 20


def test_its_first_ten_questions_are_a_good_introduction(app: Flask) -> None:
    project = setup.prepare_demo(say=lambda _: None)
    order_queue(project, embed=None, guard=lambda _session: None)
    served = db.session.scalars(select(Question.text).order_by(Question.priority, Question.id).limit(10)).all()
    titles = re.findall(r"\w+", " ".join(db.session.scalars(select(Document.title))).casefold())
    is_told = [any(word in titles for word in re.findall(r"\w{6,}", text.casefold())) for text in served]
    assert is_told.count(False) == 1  # the one restaurant that no document names
    assert is_told[:3] == [True] * 3
    paying_or_parking = [text for text in served if re.search(r"pay|park|\bcar\b|bill", text, re.IGNORECASE)]
    assert 2 <= len(paying_or_parking) <= 4  # what the starter was never taught, so that there is something to correct


@pytest.mark.parametrize("step", ["gold", "index"])
def test_an_interrupted_demo_is_finished(app: Flask, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def import_some(path: Path, *, project: Project, kind: str) -> object:
        return interrupt() if kind == step else import_file(path, project=project, kind=kind)

    with monkeypatch.context() as patch:
        patch.setattr(setup, "import_file", import_some)
        patch.setattr(setup, "update_index", interrupt)
        with pytest.raises(KeyboardInterrupt):
            setup.prepare_demo(say=lambda _: None)
    assert champion_of(setup.prepare_demo(say=lambda _: None)) is not None
    assert db.session.scalar(select(func.count()).where(Question.source == "gold")) == GOLD
