"""The demo project is made once, finished when it was interrupted, and found again."""

from pathlib import Path

import pytest
import toys
from flask import Flask
from sqlalchemy import func, select

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
    assert db.session.scalar(select(func.count()).where(Question.source == "gold")) == 200
