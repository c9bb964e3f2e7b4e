"""Champion and candidate side by side: what a real iteration with a tiny model leaves in the tables."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from tests.webapp import toy_loop
from tests.webapp.evaluated import promote_row
from training.metrics import token_f1
from training.split import split_of
from webapp.db import write
from webapp.home import absolute
from webapp.iterations import jobs
from webapp.iterations.asked import find_ranks, look_up, rank_figures
from webapp.iterations.contest import candidate_files, load_pair
from webapp.iterations.effect import labels_to_measure
from webapp.iterations.latency import TIMES, measure_latency
from webapp.models import Dataset, EvaluationRow, LabelEffect, Person, Project, Release, db
from webapp.projects import settings as project_settings
from webapp.releases.service import champion_of, create_release
from webapp.releases.serving import describe, load_release


@pytest.fixture
def toy(app: Flask, tmp_path: Path, person: Person) -> Project:
    """Corrected throughout, with one rejected passage and one wrong answer left uncorrected."""
    project = toy_loop.make_project(tmp_path / "toy")
    toy_loop.answer_queue(project, toy_loop.load_champion(project))
    toy_loop.correct_all(project, person)
    train = [question for question in toy_loop.questions_of(project) if split_of(question.text) == "train"]
    toy_loop.label(train[0], person, "wrong_passage")
    toy_loop.label(train[1], person, "wrong_answer")
    with write() as session:
        project_settings.update(session, project, epochs=0.2)
    return project


def test_an_iteration_stores_ranks_blame_and_what_became_of_every_label(toy: Project, person: Person):
    iteration, job = toy_loop.train(toy, person)
    assert job.state == "succeeded", job.error
    rows = db.session.scalars(select(EvaluationRow).where(EvaluationRow.iteration_id == iteration.id)).all()
    assert rows
    assert {row.split for row in rows} == {"fixed"}  # the first comparison
    for row in rows:
        assert row.after_rank is not None
        assert row.after["mrr_at_10"] == 1 / row.after_rank
        assert (row.after_blame == "") == (row.after["f1"] >= 0.9)
    assert (iteration.after or {})["n_retrieval"] == len(rows)
    assert (iteration.after or {})["recall_at_5"] == sum((row.after_rank or 99) <= 5 for row in rows) / len(rows)
    assert (iteration.gate or {})["latency"]["n"] == len(rows)

    effects = db.session.scalars(select(LabelEffect).where(LabelEffect.iteration_id == iteration.id)).all()
    assert len(effects) == 23  # 24 labels; the wrong answer that nobody corrected has nothing to be measured against
    candidate = db.session.scalars(select(Release).where(Release.iteration_id == iteration.id)).one()
    loaded = load_release(describe(candidate))
    corrected = [effect for effect in effects if effect.label.verdict == "correct"]
    for effect in corrected[:4]:
        question = effect.label.question
        said = toy_loop.ask(loaded, question.text, toy_loop.right_passage(question).text)
        assert effect.after_text == said
        assert effect.after_f1 == token_f1(said, toy_loop.right_answers()[question.text])
        assert effect.after_rank is not None
    [rejected] = [effect for effect in effects if effect.label.verdict == "reject"]
    assert (rejected.after_f1 == 1.0) == (rejected.after_text == "")
    assert (rejected.before_rank, rejected.after_rank) == (None, None)  # no right passage is known

    dataset = db.session.get_one(Dataset, iteration.dataset_id)
    newest = labels_to_measure(toy, dataset, at_most=3)
    assert [one.row.label for one in newest] == sorted((effect.label_id for effect in effects), reverse=True)[:3]
    assert labels_to_measure(toy, dataset, at_most=0) == []


def test_a_candidate_better_than_a_model_no_longer_in_service_waits_for_a_person(
    toy: Project, person: Person, monkeypatch: pytest.MonkeyPatch
):
    kept = jobs.publish

    def after_another(context: Any, project: Project, iteration: Any, *, comparison: Any, **values: Any) -> None:
        """Somebody puts another release into service between the comparison and the last transaction."""
        first = champion_of(project)
        assert first is not None
        with write() as session:
            other = create_release(
                session,
                project,
                answerer_path=first.answerer_path,
                answerer_sha256="f" * 64,
                index=first.index,
                reason="x",
            )
        promote_row(project, other.number)
        gate = replace(comparison.gate, decision="promote")
        kept(context, project, iteration, comparison=replace(comparison, gate=gate), **values)

    monkeypatch.setattr(jobs, "publish", after_another)
    iteration, job = toy_loop.train(toy, person)
    assert job.state == "succeeded", job.error
    assert (iteration.gate or {})["decision"] == "ask"
    assert "Release 2 was put into service after the comparison began" in (iteration.gate or {})["reasons"][1]
    champion = champion_of(toy)
    assert champion is not None
    assert champion.number == 2


def test_the_rank_is_that_of_the_first_passage_that_answers(toy: Project):
    champion = db.session.get_one(Release, toy.champion_id)
    pair = load_pair(
        toy, champion, absolute(champion.answerer_path), candidate_files(champion, absolute(champion.answerer_path))
    )
    dataset_rows = [one.row for one in _everything(toy)]
    asked = look_up(toy, dataset_rows)
    corrected = [one for one in asked if one.decision == "correct"]
    assert len(corrected) == 22
    for one in corrected:
        question = next(each for each in toy_loop.questions_of(toy) if each.text == one.row.gold.text)
        assert one.relevant == {toy_loop.right_passage(question).id}
    ranks = find_ranks(corrected, pair.before.search, lambda _: None)
    assert set(ranks) == {1}  # the toy embedder knows names by their letters
    backwards = find_ranks(
        corrected, lambda texts, k: [found[::-1] for found in pair.before.search(texts, 12)], lambda _: None
    )  # type: ignore[misc]
    assert min(rank or 99 for rank in backwards) > 5
    assert rank_figures(4) == {"recall_at_5": 1.0, "mrr_at_10": 0.25}
    assert rank_figures(6)["recall_at_5"] == 0.0
    assert rank_figures(None) == {"recall_at_5": 0.0, "mrr_at_10": 0.0}


def _everything(project: Project) -> list:
    from webapp.datasets.freeze import freeze

    return labels_to_measure(project, freeze(project), at_most=1000)


def test_the_time_of_an_answer_is_measured_in_turns_and_its_ratio_has_an_interval():
    heard: list[str] = []

    def quick(text: str) -> None:
        heard.append("quick")

    def slow(text: str) -> None:
        heard.append("slow")
        time.sleep(0.03)

    found = measure_latency(quick, slow, ["a", "b", "c"], limit=1.5, report=lambda _: None)
    assert found is not None
    assert (found.n, found.is_over) == (3, True)
    assert found.after >= 0.03 > found.before
    assert found.ratio_low > 1.5
    assert heard[2:6] == ["quick", "slow", "slow", "quick"]
    assert len(heard) == 2 + 2 * TIMES
    assert measure_latency(quick, slow, [], limit=1.5, report=lambda _: None) is None
