"""Stop advice: what the last quarter of the labels moved, from stored evaluations."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webapp.queue_rows import add_question
from webapp.db import write
from webapp.iterations.advice import advise
from webapp.models import Dataset, DatasetLabel, EvaluationRow, Iteration, Job, Label, Person, Project


def add_labels(project: Project, person: Person, count: int) -> list[int]:
    labels = []
    for number in range(count):
        question = add_question(project, f"Was {number} decided?", state="done")
        with write() as session:
            label = Label(
                project_id=project.id, question_id=question, person_id=person.id, submission_id=f"submission-{question}",
                verdict="correct", text="yes",
            )  # fmt: skip
            session.add(label)
            session.flush()
            labels.append(label.id)
    return labels


def add_iteration(project: Project, number: int, *, labels: list[int], scores: dict[int, float]) -> None:
    """``scores``: test question -> what the candidate reached on it."""
    with write() as session:
        job = Job(kind="train", project_id=project.id, state="succeeded")
        dataset = Dataset(
            project_id=project.id, path="none", fingerprint=f"{number}", counts={"train": len(labels), "rehearsal": 0}
        )
        session.add_all([job, dataset])
        session.flush()
        session.add_all(
            DatasetLabel(dataset_id=dataset.id, label_id=label, split="train", kind=kind)
            for label in labels for kind in ("correct", "preference")
        )  # fmt: skip
        iteration = Iteration(
            project_id=project.id, number=number, job_id=job.id, dataset_id=dataset.id, base="starter", path="none"
        )
        session.add(iteration)
        session.flush()
        session.add_all(
            EvaluationRow(iteration_id=iteration.id, question_id=question, before_text="", after_text="", before={}, after={"f1": score})
            for question, score in scores.items()
        )  # fmt: skip


@pytest.fixture
def tested(project: Project) -> list[int]:
    return [add_question(project, f"Was {number} tested?", state="done") for number in range(40)]


def test_the_number_of_labels_an_iteration_wrote_down_is_not_counted_again(
    app: Flask, project: Project, person: Person, tested: list[int]
) -> None:
    add_iteration(project, 1, labels=add_labels(project, person, 1), scores=dict.fromkeys(tested, 0.5))
    with write() as session:
        session.query(Iteration).one().config = {"labels": {"total": 4321, "learned": 1, "judging": 0}}
    found = advise(project)
    assert found is not None
    assert "the 4,321 labels that iteration 1 used" in found.sentence


def test_nothing_is_advised_before_the_first_iteration(client: FlaskClient, project: Project) -> None:
    assert advise(project) is None
    assert 'id="advice"' not in client.get(f"/p/{project.id}/iterations").text


def test_one_iteration_cannot_tell(client: FlaskClient, project: Project, person: Person, tested: list[int]) -> None:
    add_iteration(project, 1, labels=add_labels(project, person, 4), scores=dict.fromkeys(tested, 0.5))
    page = client.get(f"/p/{project.id}/iterations").text
    assert "cannot be told yet: that takes an earlier iteration with at most three quarters of the 4 labels" in page


@pytest.mark.parametrize(
    ("gains", "verdict", "words"),
    [
        ([0.3, 0.5], "keep", "Labels still help: keep labelling."),
        ([0.0, 0.0], "stop", "More labels of this kind move little"),
        ([0.5, -0.5], "unsure", "cannot be told from this"),
    ],
)
def test_the_last_quarter_is_judged_by_its_interval(
    client: FlaskClient,
    project: Project,
    person: Person,
    tested: list[int],
    gains: list[float],
    verdict: str,
    words: str,
) -> None:
    labels = add_labels(project, person, 8)
    add_iteration(project, 1, labels=labels[:6], scores=dict.fromkeys(tested, 0.5))
    add_iteration(
        project, 2, labels=labels[:7], scores=dict.fromkeys(tested, 0.9)
    )  # too near to the newest: not looked at
    after = {question: 0.5 + gains[place % 2] for place, question in enumerate(tested)}
    add_iteration(project, 3, labels=labels, scores=after)
    advice = advise(project)
    assert advice is not None
    assert advice.verdict == verdict
    page = client.get(f"/p/{project.id}/iterations").text
    assert words in page
    assert "From iteration 1 (6 labels) to iteration 3 (8 labels)" in page
    assert f"{100 * sum(gains) / 2:+.1f} points on 40 test questions" in page


def test_one_poor_run_does_not_make_more_labels_seem_to_help(
    project: Project, person: Person, tested: list[int]
) -> None:
    labels = add_labels(project, person, 12)
    add_iteration(project, 1, labels=labels[:6], scores=dict.fromkeys(tested, 0.8))
    add_iteration(project, 2, labels=labels[:9], scores=dict.fromkeys(tested, 0.4))
    add_iteration(project, 3, labels=labels, scores=dict.fromkeys(tested, 0.8))
    advice = advise(project)
    assert advice is not None
    assert advice.verdict == "stop"
    assert "From iteration 1 (6 labels) to iteration 3 (12 labels) the score went +0.0 points" in advice.sentence


def test_few_questions_in_common_are_said_to_be_few(project: Project, person: Person, tested: list[int]) -> None:
    labels = add_labels(project, person, 8)
    add_iteration(project, 1, labels=labels[:4], scores=dict.fromkeys(tested[:25], 0.1))
    add_iteration(project, 2, labels=labels, scores=dict.fromkeys(tested[20:], 0.9))
    advice = advise(project)
    assert advice is not None
    assert advice.verdict == "unsure"
    assert "on 5 test questions both were asked: too few" in advice.sentence
