"""A release that judges by likeness is given what measures it, by the project's own embedder."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from retriever.similarity import SentenceSimilarity
from tests.serving_kit import build_served
from training.answerability import Weights
from training.answerers import load_answerer
from training.artefact import manifest_sha256, writing
from training.tasks import get_task
from webapp.db import write
from webapp.home import absolute, new_artefact_path, relative
from webapp.models import Project, Release
from webapp.releases import serving
from webapp.releases.service import champion_of, create_release

QUESTION = "When does the kitchen of Chez Bella close?"


@pytest.fixture
def served(app: Flask, tmp_path: Path) -> Project:
    return build_served(tmp_path)


def with_likeness(project: Project, weight: float, *, answer: float = 0.0) -> Release:
    """The champion's model, whose odds count nothing and the likeness of the passage, or of the answer, everything."""
    champion = champion_of(project)
    assert champion is not None
    answerer = load_answerer(absolute(champion.answerer_path), get_task(project.task))
    bias = -(weight + answer) / 2
    weights = Weights(bias, 0.0, weight, 1.0, weight, champion.embedder, threshold_alone=0.25, answer=answer)
    answerer.settings = replace(answerer.settings, answerability=weights)
    place = new_artefact_path(project.id, "answerer")
    with writing(place, kind="answerer") as target:
        answerer.save(target)
    with write() as session:
        return create_release(
            session, project, answerer_path=relative(place), answerer_sha256=manifest_sha256(place), index=champion.index, reason="x"
        )  # fmt: skip


def test_a_release_answers_what_its_passage_is_like_and_refuses_the_rest(served: Project) -> None:
    loaded = serving.load_release(serving.describe(with_likeness(served, 40.0)))
    near, far = loaded.answer([QUESTION, "Zebra quantum xylophone vodka?"], k=1)
    assert near.prediction.answerable_score > 0.9
    assert far.prediction.answerable_score < 0.1


def test_the_likeness_of_the_answers_own_words_counts_by_itself(served: Project) -> None:
    loaded = serving.load_release(serving.describe(with_likeness(served, 0.0, answer=10.0)))
    alike = SentenceSimilarity(loaded.embedder)
    for question in (QUESTION, "Where is Chez Bella?"):
        [said] = loaded.answer([question], k=1)
        to_answer, to_passage = alike(
            [(question, said.prediction.best_text), (question, loaded.index.passage(said.hits[0].passage).text)]
        )
        assert abs(to_answer - to_passage) > 0.05
        score = said.prediction.answerable_score
        assert math.log(score / (1 - score)) == pytest.approx(10 * to_answer - 5, abs=1e-3)


def test_without_a_release_around_it_a_model_is_given_it_where_it_wants_it_or_learns(served: Project) -> None:
    folder = absolute(with_likeness(served, 40.0).answerer_path)
    assert serving.answerer_alone(served, folder).settings.answerability is not None
    champion = champion_of(served)
    assert champion is not None
    plain = absolute(champion.answerer_path)
    assert serving.answerer_alone(served, plain).similarity is None
    assert serving.answerer_alone(served, plain, learns=True).similarity.identity == champion.embedder


def test_a_release_with_an_encoder_of_its_own_outlives_the_projects_embedder(
    served: Project,
) -> None:
    files = serving.describe(with_likeness(served, 40.0))

    class Tuned:
        """An encoder that an iteration fine-tuned."""

        identity = "tuned:1"

    assert (
        serving.similarity_served(files, serving.load_own_embedder(files.embedder, None)).identity
        == files.embedder_identity
    )
    assert serving.similarity_served(files, Tuned()).identity == files.embedder_identity
    assert serving.similarity_served(replace(files, embedder="/gone"), Tuned()) is None
    assert serving.similarity_served(files, None) is None
