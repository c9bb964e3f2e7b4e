"""A project's learning switches reach the iteration, change what it learns from, and are kept with it."""

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webapp import toy_loop
from tests.webapp.labelled import LUNA, SOL, make_labelled
from training.lessons import Lessons
from training.split import split_of
from training.types import Target
from webapp import home
from webapp.datasets import freeze as freezing
from webapp.datasets.files import read_lines, write_lines
from webapp.db import write
from webapp.errors import Invalid
from webapp.iterations import lessons
from webapp.iterations.lessons import summarise
from webapp.models import Document, Iteration, Person, Project, now
from webapp.projects import settings as project_settings


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a base model that ships no starting data."""
    folder = tmp_path / "base"
    folder.mkdir()
    monkeypatch.setattr(freezing, "resolve_base", lambda *_: folder)
    return folder


def test_the_switches_begin_where_nothing_is_unproven(project: Project) -> None:
    assert lessons.switched_on(project_settings.read(project)) == Lessons(rehearsal=True, similarity=True)


def test_the_settings_page_changes_each_switch(client: FlaskClient, project: Project) -> None:
    address = f"/p/{project.id}/settings"
    assert "Variations of each question" in client.get(address).text
    form = {
        "rehearsal": "off",
        "variations": "2",
        "passed_over": "3",
        "rejects": "on",
        "preferences": "dpo",
        "warm_up": "on",
    }
    form |= {"similarity": "off", "abstention": "off"}
    assert "Saved." in client.post(address, data=form).text
    switched = lessons.switched_on(project_settings.read(project))
    assert switched == Lessons(
        rehearsal=False,
        abstention=False,
        variations=2,
        passed_over=3,
        rejects=True,
        preferences="dpo",
        warm_up=True,
        similarity=False,
    )


@pytest.mark.parametrize(
    "changes",
    [{"variations": 9}, {"passed_over": 21}, {"variations": "many"}, {"preferences": "ppo"}, {"warm_up": "yes"}],
)
def test_a_switch_that_does_not_exist_is_refused(project: Project, changes: dict[str, object]) -> None:
    with pytest.raises(Invalid, match=next(iter(changes))), write() as session:
        project_settings.update(session, project, **changes)


def test_an_iteration_learns_from_what_was_switched_on_and_says_so(
    app: Flask, client: FlaskClient, tmp_path: Path, person: Person
) -> None:
    project = toy_loop.make_project(tmp_path / "toy")
    with write() as session:
        project_settings.update(
            session, project, epochs=0.1, variations=1, passed_over=1, rejects="on", preferences="dpo"
        )
    toy_loop.answer_queue(project, toy_loop.load_champion(project))
    labels = toy_loop.correct_all(project, person)
    refused = next(q for q in toy_loop.questions_of(project) if split_of(q.text) == "train")
    toy_loop.label(refused, person, "wrong_answer")

    iteration, job = toy_loop.train(project, person)

    assert job.state == "succeeded", job.error
    assert iteration.config["lessons"]["variations"] == 1
    learned = iteration.config["learned"]
    in_training = sum(split_of(label.question.text) == "train" for label in labels) - 1
    assert learned["rows"] == {"correct": in_training, "variation": in_training, "reject": 1}
    assert learned["preferences"] == {"pairs": 0.0, "kept": 0.0}  # a span model has no text to prefer
    page = client.get(f"/p/{project.id}/iterations/{iteration.number}").text
    assert f"The training rows: {in_training} corrected, 1 rejected, {in_training} variations." in page
    assert learned["similarity"] == {"weight": 0.0}  # one label that says "no answer" shows nothing
    assert "The likeness of question and passage does not count" in page
    for low, words in ((0.4, "these labels show that it tells"), (-0.4, "these labels alone could not show how much")):
        with write() as session:
            row = session.get_one(Iteration, iteration.id)
            told = {"weight": 3.0, "low": low, "high": 6.0, "answer": -0.25}
            kept = {"averaged": 1, "base_share": 0.0} if low < 0 else {"averaged": 6, "base_share": 0.25}
            row.config = {**row.config, "learned": {**learned, "similarity": told, "weights": kept}}
        page = client.get(f"/p/{project.id}/iterations/{iteration.number}").text
        assert words in page
        assert "and by that of the answer's own words" in page
        assert "; of the answer's likeness -0.2)" in page
        assert ("Kept is one state of the training" in page) == (low < 0)
        assert ("Kept is the average of 6 states" in page) == (low > 0)


def test_without_a_switch_its_rows_stay_away(app: Flask, project: Project, person: Person, base: Path) -> None:
    labelled = make_labelled(project, person)
    folder = home.absolute(freezing.freeze(labelled.project).path)
    material = lessons.gather(project, Lessons(), dataset=folder, folder=folder)
    assert (material.rejects, material.preferences, material.passages) == ((), (), ())
    everything = Lessons(rejects=True, preferences="dpo", warm_up=True)
    material = lessons.gather(project, everything, dataset=folder, folder=folder)
    assert [row.target.text for row in material.rejects] == ["8 am"]
    assert [(row.chosen.text, row.rejected.text) for row in material.preferences] == [("=9 am", "8 am")]
    assert set(material.passages) == {LUNA, SOL}


def test_a_passage_passed_over_teaches_only_beside_an_answer_that_stands_word_for_word(
    app: Flask, project: Project, person: Person, base: Path, tmp_path: Path
) -> None:
    labelled = make_labelled(project, person)
    folder = home.absolute(freezing.freeze(labelled.project).path)
    found = lessons.gather(project, Lessons(passed_over=3), dataset=folder, folder=folder).passed_over
    assert [(row.text, row.passage, row.label) for row in found] == [
        ("When does Bistro Luna open?", SOL, labelled.by_verdict["correct"]),
        ("Does Bistro Luna take cards?", SOL, labelled.by_verdict["accept"]),
    ]
    assert {row.target for row in found} == {Target("", False)}
    many = tmp_path / "many-shown"
    many.mkdir()
    triples = [{**row, "negatives": ["Rejected.", "One.", "Two."]} for row in read_lines(folder / "triples.jsonl")]
    train = read_lines(folder / "train.jsonl")
    rejected = {**train[0], "passage": "Rejected.", "target": "", "answerable": False, "kind": "negative"}
    write_lines(many / "triples.jsonl", triples)
    write_lines(many / "train.jsonl", [*train, *({**rejected, "text": row["text"]} for row in triples)])
    gathered = lessons.gather(project, Lessons(passed_over=1), dataset=many, folder=folder).passed_over
    assert [row.passage for row in gathered] == ["One.", "One."]
    rows = [{**row, "start": None} for row in read_lines(folder / "train.jsonl")]
    copy = tmp_path / "in-other-words"
    copy.mkdir()
    write_lines(copy / "train.jsonl", rows)
    write_lines(copy / "triples.jsonl", read_lines(folder / "triples.jsonl"))
    assert lessons.gather(project, Lessons(passed_over=3), dataset=copy, folder=folder).passed_over == ()


def test_a_warm_up_practises_on_the_living_corpus_and_a_later_attempt_on_the_same(
    app: Flask, project: Project, person: Person, tmp_path: Path
) -> None:
    labelled = make_labelled(project, person)
    with write() as session:
        session.get_one(Document, labelled.sol.document_id).deleted_at = now()
    first = lessons.gather(project, Lessons(warm_up=True), dataset=tmp_path, folder=tmp_path)
    assert first.passages == (LUNA,)
    with write() as session:
        session.get_one(Document, labelled.luna.document_id).deleted_at = now()
    assert lessons.gather(project, Lessons(warm_up=True), dataset=tmp_path, folder=tmp_path) == first


def test_an_iteration_from_before_the_switches_had_starting_data_only() -> None:
    assert lessons.lessons_of(Iteration(config={"fit": {}})) == Lessons(rehearsal=True, similarity=False)


def test_what_came_of_the_preferences_is_kept_with_the_iteration(tmp_path: Path) -> None:
    points = [
        {"step": 0, "rows_correct": 40, "rows_variation": 40}, {"step": 5, "loss": 1.0},
        {"step": 9, "preference_pairs": 12.0, "preference_low": 0.01, "preference_kept": 1.0},
    ]  # fmt: skip
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    assert summarise(tmp_path) == {
        "rows": {"correct": 40, "variation": 40}, "preferences": {"pairs": 12.0, "low": 0.01, "kept": 1.0},
    }  # fmt: skip
