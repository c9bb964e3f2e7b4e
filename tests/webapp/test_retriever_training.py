"""An iteration teaches the retriever when the project wants it to, and answerer, index and retriever go into service as one."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from serving_kit import flip_bit
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.encoders import build_encoder
from tests.toys import build_span
from tests.webapp import toy_loop
from webapp.corpus.index import is_out_of_date, update_index
from webapp.db import write
from webapp.errors import Damaged
from webapp.home import absolute
from webapp.iterations import jobs, retriever_training
from webapp.jobs.run import run_here
from webapp.models import CorpusIndex, Iteration, Job, Passage, Person, Project, Release, db
from webapp.projects import settings as project_settings
from webapp.projects.service import create_project
from webapp.releases import by_hand
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
TITLES: dict[str, str] = {}
SHAPES = (
    "What about the {}?", "Tell me of your {} rules", "Any {} news today?", "My {} is special, so?", "Is {} possible here?",
    "Who knows of the {}?", "Why is {} so hard to find?",
)  # fmt: skip
NEW = "Do you like a vehicle?"


def make_project(folder: Path, *, embedder: str, learn_retriever: str | None = None) -> Project:
    """A small project of the settings that a new one has, but for those that take time and what ``learn_retriever`` says."""
    toy_loop.use_one_thread()
    folder.mkdir(parents=True, exist_ok=True)
    with write() as session:
        project = create_project(
            session, "Subjects", task="qa", base=str(build_span(folder / "base")), embedder=embedder
        )
    changes = {} if learn_retriever is None else {"learn_retriever": learn_retriever}
    with write() as session:
        project_settings.update(session, project, epochs=1.0, train_after=0, passages_shown=2, effects=0, **changes)
    documents = [{"id": word, "title": TITLES.get(word, ""), "text": text} for word, text in SUBJECTS.items()]
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


def trained(
    folder: Path, person: Person, *, embedder: str = "hash", learn_retriever: str | None = None
) -> tuple[Project, Iteration, Release]:
    project = make_project(folder, embedder=embedder, learn_retriever=learn_retriever)
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
    client: FlaskClient, tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retriever import learning

    monkeypatch.setattr(learning, "find_collapse", lambda _vectors: "it has collapsed")
    project, iteration, release = trained(tmp_path / "toy", person)
    assert release.retriever_path is None
    assert iteration.config["retriever"]["held"]
    page = client.get(f"/p/{project.id}/iterations/{iteration.number}").text
    assert f"<p>{escape(iteration.config['retriever']['sentence'])}</p>" in page
    assert "held, because it has collapsed" in iteration.config["retriever"]["sentence"]


def test_a_ranking_learned_from_labels_is_the_release_s_own(
    app: Flask, tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retriever import learning

    options = [option for option in learning.OPTIONS if option is learning.NOTHING or option.is_reranked]
    monkeypatch.setattr(learning, "choose", partial(learning.choose, options=options))
    words = list(SUBJECTS)
    for word, other in zip(
        words, words[1:] + words[:1], strict=True
    ):  # a passage is on what its title says, not on what it says most
        monkeypatch.setitem(SUBJECTS, word, f"Here the {other} is spoken of, this {other} and that {other}.")
        monkeypatch.setitem(TITLES, word, word)
    project, iteration, release = trained(tmp_path / "toy", person)
    assert "a learned ranking" in iteration.config["retriever"]["sentence"]
    first = db.session.scalars(select(Release).where(Release.number == 1, Release.project_id == project.id)).one()
    assert first_passage(load_release(describe(release)), NEW) == SUBJECTS["vehicle"]
    assert first_passage(load_release(describe(first)), NEW) != SUBJECTS["vehicle"]


def let_it_tune(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a fine-tuned encoder is tried, with large steps, and people ask so that it finds what nothing else does."""
    from retriever import encoder_trial, learning
    from retriever.finetuning import TuningConfig

    quick = TuningConfig(epochs=8, learning_rate=3e-3, batch=6, frozen=0.0)
    monkeypatch.setattr(encoder_trial, "Tuning", partial(encoder_trial.Tuning, config=quick))
    monkeypatch.setattr(learning, "choose", partial(learning.choose, options=[learning.NOTHING]))
    monkeypatch.setattr(sys.modules[__name__], "SHAPES", ("{}", "The {}?", "Any {}?", "About {}", "My {}, possible?"))


def tuned_release(folder: Path, person: Person, monkeypatch: pytest.MonkeyPatch) -> tuple[Project, Iteration, Release]:
    """As :func:`trained`, with a tiny sentence encoder that an iteration may fine-tune, and does."""
    let_it_tune(monkeypatch)
    return trained(folder, person, embedder=str(build_encoder(folder.with_name("encoder"))), learn_retriever="encoder")


def add_document(project: Project, folder: Path, text: str, **options: Any) -> None:
    toy_loop.import_lines(folder, [{"id": text, "title": "", "text": text}], project, "documents")
    update_index(project, report=toy_loop.quiet, **options)


def test_a_fine_tuned_encoder_its_index_and_the_answerer_are_one_release(
    app: Flask, tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, iteration, release = tuned_release(tmp_path / "toy", person, monkeypatch)
    assert "a fine-tuned encoder" in iteration.config["retriever"]["sentence"]
    first = db.session.scalars(select(Release).where(Release.number == 1, Release.project_id == project.id)).one()
    assert release.embedder.startswith("tuned:")
    assert first.index is not None
    assert release.index is not None
    assert (release.index.embedder, release.index.passages) == (release.embedder, first.index.passages)
    assert first_passage(load_release(describe(release)), "Any vehicle?") == SUBJECTS["vehicle"]
    assert not (absolute(iteration.path) / "encoder").exists()

    if release.state == "candidate":
        by_hand.promote_today(project, release, person=person, reason="to serve it")
    add_document(project, tmp_path / "more.jsonl", "The house was built in 1890.")
    champion = champion_of(project)
    assert champion is not None
    assert (champion.embedder, champion.retriever_path) == (release.embedder, release.retriever_path)
    assert first_passage(load_release(describe(champion)), "The house was built in 1890.").startswith("The house")

    by_hand.promote_as_it_was(project, first, person=person, reason="back")
    assert load_release(describe(first)).embedder.identity == first.embedder
    add_document(project, tmp_path / "even-more.jsonl", "Dogs were here in 1890.")
    champion = champion_of(project)
    assert champion is not None
    assert (champion.embedder, champion.retriever_path) == (first.embedder, None)
    assert first_passage(load_release(describe(champion)), "Dogs were here in 1890.").startswith("Dogs were")

    def promote_meanwhile(session: Session) -> None:
        if champion_of(project) != release:
            promote(session, project, session.merge(release), reason="while passages are embedded")

    add_document(project, tmp_path / "late.jsonl", "Stoves are here.", guard=promote_meanwhile)
    champion = champion_of(project)
    assert champion is not None
    assert champion.embedder == release.embedder
    assert is_out_of_date(project)  # so that the job goes on with the encoder now in service
    by_hand.promote_as_it_was(project, first, person=person, reason="back again")

    change = by_hand.promote_today(project, release, person=person, reason="forth again")
    assert change.release.embedder == release.embedder
    assert db.session.scalars(select(Job).where(Job.kind == "index", Job.state == "queued")).all()
    assert update_index(project, report=toy_loop.quiet).passages == 9

    flip_bit(absolute(release.retriever_path or "") / "encoder", ".safetensors")
    with pytest.raises(Damaged, match=r"model\.safetensors"):
        load_release(describe(change.release))
    with pytest.raises(Damaged, match="promote another release"):
        update_index(project, report=toy_loop.quiet)


def test_without_a_better_encoder_nothing_is_embedded_again(
    app: Flask, tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retriever import learning

    monkeypatch.setattr(learning, "_is_sure", lambda *_others, **_options: False)
    _project, _iteration, release = tuned_release(tmp_path / "toy", person, monkeypatch)
    assert release.retriever_path is None
    assert db.session.scalars(select(CorpusIndex)).one().id == release.index_id


def test_a_later_attempt_takes_the_encoder_and_the_index_that_were_saved_and_the_next_iteration_begins_from_the_base(
    app: Flask, tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retriever import learning

    def die(*_: object, **__: object) -> None:
        raise OSError("killed after the index was saved")

    let_it_tune(monkeypatch)
    encoder = str(build_encoder(tmp_path / "encoder"))
    project = make_project(tmp_path / "toy", embedder=encoder, learn_retriever="encoder")
    first = champion_of(project)
    assert first is not None
    label_all(project, person)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "contest", die)
        iteration, job = toy_loop.train(project, person)
        assert job.state == "failed"
    manifests = [
        absolute(f"projects/{project.id}/{kind}/{iteration.config['answerer']}/manifest.json") for kind in ("retrievers", "indexes")
    ]  # fmt: skip
    saved_at = [path.stat().st_mtime_ns for path in manifests]
    with write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(state="queued", error=""))
    with monkeypatch.context() as patch:
        patch.setattr(retriever_training, "_choose", die)  # it is not chosen again
        assert run_here(job.id)
    assert [path.stat().st_mtime_ns for path in manifests] == saved_at
    release = db.session.scalars(select(Release).where(Release.iteration_id == iteration.id)).one()
    assert release.embedder.startswith("tuned:")
    if release.state == "candidate":
        by_hand.promote_today(project, release, person=person, reason="to serve it")

    contest = jobs.contest

    def go_back_meanwhile(*arguments: Any, **options: Any) -> Any:
        by_hand.promote_as_it_was(project, db.session.merge(first), person=person, reason="back")
        return contest(*arguments, **options)

    monkeypatch.setattr(learning, "_is_sure", lambda *_others, **_options: False)
    monkeypatch.setattr(jobs, "contest", go_back_meanwhile)
    second, job = toy_loop.train(project, person)
    assert job.state == "succeeded", job.error
    told, told_first = second.config["retriever"]["figures"], db.session.merge(iteration).config["retriever"]["figures"]
    assert (
        told["nothing"] == told_first["nothing"]
    )  # the project's own encoder, not the one that has seen these questions
    kept = db.session.scalars(select(Release).where(Release.iteration_id == second.id)).one()
    assert (kept.embedder, kept.retriever_path) == (release.embedder, release.retriever_path)
    assert first_passage(load_release(describe(kept)), "Any vehicle?") == SUBJECTS["vehicle"]


def test_a_setting_changed_between_two_attempts_changes_nothing_of_a_running_iteration(
    app: Flask, tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise OSError("killed before the retriever was chosen")

    project = make_project(tmp_path / "toy", embedder="hash")
    label_all(project, person)
    with monkeypatch.context() as patch:
        patch.setattr(retriever_training, "_choose", die)
        iteration, job = toy_loop.train(project, person)
        assert job.state == "failed"
    with write() as session:
        project_settings.update(session, session.get_one(Project, project.id), learn_retriever="off")
        session.execute(update(Job).where(Job.id == job.id).values(state="queued", error=""))
    assert run_here(job.id)
    release = db.session.scalars(select(Release).where(Release.iteration_id == iteration.id)).one()
    assert release.retriever_path is not None


def test_a_damaged_index_is_refused_before_anything_is_learned_from_it(app: Flask, tmp_path: Path) -> None:
    project = make_project(tmp_path / "toy", embedder="hash")
    champion = champion_of(project)
    assert champion is not None
    assert champion.index is not None
    flip_bit(absolute(champion.index.path), ".faiss")
    with pytest.raises(Damaged, match=r"\.faiss"):
        retriever_training._material(project, describe(champion), report=toy_loop.quiet)
