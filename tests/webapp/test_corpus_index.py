"""The index follows the corpus: only what is new is embedded, and a release goes into service with it."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from retriever.embedder import HashEmbedder
from retriever.index import HybridIndex
from training.types import TrainingError
from webapp.corpus import index, service
from webapp.db import write
from webapp.errors import Invalid, NotFound
from webapp.home import absolute
from webapp.jobs.run import run_here
from webapp.models import CorpusIndex, Document, Job, Passage, Project, Release, db
from webapp.projects.service import create_project, delete_project
from webapp.releases.service import champion_of

TEXT = "Kavo Bistro opens at nine. Dogs are welcome on the patio. "


@pytest.fixture
def corpus(app: Any, tmp_path: Path) -> Project:
    """A project with two documents, whose base is a model folder that is never loaded here."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (base / "model.safetensors").write_bytes(b"weights")
    with write() as rows:
        project = create_project(rows, "Restaurants", task="qa", base=str(base), embedder="hash")
    add(project, tmp_path, "Kavo Bistro", "Red Tido")
    return project


def add(project: Project, folder: Path, *names: str) -> None:
    path = folder / "documents.jsonl"
    rows = [json.dumps({"id": name, "title": name, "text": f"{name}. {TEXT}"}) for name in names]
    path.write_text("\n".join(rows), encoding="utf-8")
    service.import_file(path, project=project, kind="documents")


def update(project: Project) -> index.IndexResult:
    return index.update_index(project, report=lambda _fraction, _message: None)


def saved(project: Project) -> HybridIndex:
    champion = champion_of(project)
    assert champion is not None
    assert champion.index is not None
    return HybridIndex.load(absolute(champion.index.path), embedder_identity=champion.index.embedder)


def test_a_base_that_cannot_be_used_is_told_before_everything_is_embedded(corpus: Project, tmp_path: Path):
    (tmp_path / "base" / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match="holds no"):
        update(corpus)
    assert db.session.scalars(select(Passage.id)).all() == []


def test_the_first_index_makes_the_first_release_from_the_base(corpus: Project):
    assert index.is_out_of_date(corpus)
    result = update(corpus)
    assert (result.documents, result.passages, result.embedder, result.release) == (2, 2, "hash@256", 1)
    champion = champion_of(corpus)
    assert champion is not None
    assert (champion.number, champion.state) == (1, "champion")
    assert (absolute(champion.answerer_path) / "model.safetensors").read_bytes() == b"weights"
    assert sorted(saved(corpus).ids) == sorted(db.session.scalars(select(Passage.id)))
    assert not index.is_out_of_date(corpus)


def test_nothing_new_makes_no_release(corpus: Project):
    first = update(corpus)
    again = update(corpus)
    assert (again.release, again.index, again.added) == (first.release, first.index, 0)
    assert len(db.session.scalars(select(Release)).all()) == 1


def test_only_new_passages_are_embedded(corpus: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    update(corpus)
    embedded: list[str] = []
    encode = HashEmbedder.encode

    def listen(self: HashEmbedder, texts: Sequence[str], **options: Any) -> Any:
        embedded.extend(texts)
        return encode(self, texts, **options)

    monkeypatch.setattr(HashEmbedder, "encode", listen)
    add(corpus, tmp_path, "Golden Kota")
    assert index.is_out_of_date(corpus)
    result = update(corpus)
    assert [text.splitlines()[0] for text in embedded] == ["Golden Kota"]
    assert (result.added, result.passages, result.release) == (1, 3, 2)
    champion = champion_of(corpus)
    assert champion is not None
    assert champion.reason == "same model, new index: the corpus changed"
    first = db.session.scalar(select(Release).where(Release.number == 1))
    assert first is not None
    assert (first.state, first.answerer_path) == ("retired", champion.answerer_path)


def test_a_deleted_document_is_found_no_more(corpus: Project):
    update(corpus)
    gone = db.session.scalar(select(Document).where(Document.title == "Red Tido"))
    assert gone is not None
    with write() as rows:
        service.delete_documents(rows, corpus, [gone.id])
    assert index.is_out_of_date(corpus)
    assert update(corpus).removed == 1
    found = saved(corpus).search("Red Tido", HashEmbedder().encode(["Red Tido"])[0], k=5)
    titles = [db.session.get_one(Passage, hit.passage).document.title for hit in found]
    assert titles == ["Kavo Bistro"]
    assert len(db.session.scalars(select(Passage)).all()) == 2  # old answers can still show it


def test_deleting_everything_leaves_an_empty_index(corpus: Project):
    update(corpus)
    with write() as rows:
        service.delete_documents(rows, corpus, list(db.session.scalars(select(Document.id))))
    assert update(corpus).passages == 0
    assert len(saved(corpus)) == 0
    assert not index.is_out_of_date(corpus)


def test_a_damaged_index_is_built_again(corpus: Project):
    update(corpus)
    row = db.session.scalar(select(CorpusIndex))
    assert row is not None
    victim = max(
        (path for path in absolute(row.path).rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(bytes(data))
    result = update(corpus)
    assert (result.added, result.passages, result.release) == (2, 2, 2)
    assert len(saved(corpus)) == 2


def test_an_index_killed_after_splitting_goes_on_where_it_was(corpus: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        HashEmbedder, "encode", lambda *_arguments, **_options: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        update(corpus)
    monkeypatch.undo()
    assert champion_of(corpus) is None
    assert not list(absolute("projects").rglob("manifest.json"))
    assert update(corpus).passages == 2
    assert len(db.session.scalars(select(Passage)).all()) == 2


def test_passages_are_stretches_of_their_document(corpus: Project, tmp_path: Path):
    add(corpus, tmp_path, "Long " + TEXT * 3)
    path = tmp_path / "long.txt"
    path.write_text(
        "\n".join(f"Sentence number {number} is about nothing much." for number in range(400)), encoding="utf-8"
    )
    service.import_file(path, project=corpus, kind="documents")
    update(corpus)
    passages = db.session.scalars(select(Passage).order_by(Passage.document_id, Passage.position)).all()
    assert len(passages) > 10
    embedder = HashEmbedder()
    for passage in passages:
        assert passage.text == passage.document.text[passage.start : passage.end]
        assert embedder.count_tokens(f"{passage.document.title}\n{passage.text}") <= embedder.max_tokens
    long = [passage for passage in passages if passage.document.title == "long"]
    assert all(after.start < before.end for before, after in pairwise(long))


def test_no_documents_is_a_sentence(project: Project):
    with pytest.raises(Invalid, match="no documents to index"):
        update(project)


def test_a_project_deleted_meanwhile_gets_no_release(corpus: Project):
    def delete(_fraction: float, message: str) -> None:
        if message == "Saving the index":
            with write() as rows:
                delete_project(rows, corpus)

    with pytest.raises(NotFound):
        index.update_index(corpus, report=delete)
    assert not db.session.scalars(select(Release)).all()


def test_documents_that_come_while_the_index_is_made_are_in_it_at_the_end(
    corpus: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encode = HashEmbedder.encode
    added: list[bool] = []

    def slow(self: HashEmbedder, texts: Sequence[str], **options: Any) -> Any:
        if not added:
            added.append(True)
            add(corpus, tmp_path, "Golden Kota")
        return encode(self, texts, **options)

    monkeypatch.setattr(HashEmbedder, "encode", slow)
    with write() as rows:
        job = index.enqueue_index(rows, corpus)
    assert run_here(job.id)
    done = db.session.get_one(Job, job.id, populate_existing=True)
    assert done.state == "succeeded", done.error
    assert done.result is not None
    assert (done.result["documents"], done.result["passages"]) == (3, 3)
    assert db.session.scalar(select(Job.kind).where(Job.kind == "predict")) == "predict"
