"""Labels leave one project and come into another; nothing is doubled, nothing is made up."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from webapp.corpus import service as corpus
from webapp.corpus.importing import ImportResult
from webapp.datasets.service import build_examples
from webapp.db import write
from webapp.label.export import Filters, write_labels
from webapp.label.service import current_labels
from webapp.models import Label, Person, Project, Question, Release, db
from webapp.projects.service import create_project
from webapp.releases.service import champion_of

CONTEXT = "Kavo Bistro opens at nine. Dogs are welcome."
SHOWN = {
    "shown_answer": "ten",
    "shown_answerable": True,
    "shown_score": 0.4,
    "shown_passage": CONTEXT,
    "document": "Kavo Bistro",
}
ROWS: list[dict[str, Any]] = [
    {"question": "When does Kavo open?", "verdict": "correct", "text": "nine", "person": "Ben", "passage": CONTEXT, "start": 21, "end": 25,
     "reason": "it says so", "seconds": 4.5, "created_at": "2026-01-02T03:04:05+00:00", **SHOWN},
    {"question": "Are dogs welcome?", "verdict": "accept", "text": "welcome", "person": "Ben", "shown_answer": "welcome"},
    {"question": "Is there parking?", "verdict": "reject", "reject_reason": "unanswerable", "text": "", "person": "Cleo", **SHOWN},
]  # fmt: skip


@pytest.fixture
def imported(tmp_path: Path, project: Project) -> ImportResult:
    return load(tmp_path, project, ROWS)


def load(folder: Path, project: Project, rows: list[Any]) -> ImportResult:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return corpus.import_file(path, project=project, kind="labels")


def labels(project: Project) -> list[Label]:
    return list(db.session.scalars(current_labels(project.id).order_by(Label.id)))


def test_a_shown_answer_is_placed_where_it_stands_as_whole_words(tmp_path: Path, project: Project):
    load(tmp_path, project, [ROWS[0] | {"shown_answer": "Nine"}, ROWS[2] | {"shown_answer": "pen"}])
    places = [label.answer and (label.answer.start, label.answer.end) for label in labels(project)]
    assert places == [(21, 25), (None, None)]


@pytest.mark.parametrize("reason", ["wrong_answer", "wrong_passage", "unanswerable"])
def test_a_rejection_comes_in_without_the_answer_that_was_shown(tmp_path: Path, project: Project, reason: str):
    """The file does not tell what its person saw; only a page of ours can know that they saw nothing."""
    row = {"question": "Is there parking?", "verdict": "reject", "reject_reason": reason, "person": "Cleo"}
    result = load(tmp_path, project, [row])
    assert (result.added, result.rejected) == (1, ())
    assert [label.reject_reason for label in labels(project)] == [reason]


def test_labels_come_in_with_what_was_shown(imported: ImportResult, project: Project):
    assert (imported.added, imported.rejected) == (3, ())
    correct, accept, reject = labels(project)
    assert (correct.verdict, correct.text, correct.start, correct.end, correct.seconds) == (
        "correct",
        "nine",
        21,
        25,
        4.5,
    )
    assert correct.created_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert correct.answer is not None
    assert (correct.answer.text, correct.answer.passages[0].passage.text, correct.edit_distance) == ("ten", CONTEXT, 3)
    assert accept.person.name == "Ben"
    assert (reject.verdict, reject.reject_reason, reject.text) == ("reject", "unanswerable", "")
    assert correct.passage is not None
    assert correct.passage.document.title == "Kavo Bistro"
    assert {question.state for question in db.session.scalars(select(Question))} == {"done"}


def test_of_which_passages_not_answerable_was_wrong_an_imported_label_does_not_tell(tmp_path: Path, project: Project):
    refused = {
        "verdict": "reject",
        "reject_reason": "wrong_answer",
        "text": "",
        "person": "Ben",
        **SHOWN,
        "shown_answer": "",
    }
    load(
        tmp_path,
        project,
        [{**refused, "question": "Is there parking?"}, {**refused, "question": "Any cats?", "shown_answer": "two"}],
    )
    built = build_examples(project)
    assert [(example.text, example.target.text) for _, example in built.rejects] == [("Any cats?", "two")]
    assert [out.kind for out in built.left_out] == ["wrong_answer"]


def test_people_of_imported_labels_cannot_sign_in(imported: ImportResult):
    assert not db.session.scalars(select(Person.active).where(Person.name == "Cleo")).one()


def test_answers_of_imported_labels_belong_to_no_release_in_service(imported: ImportResult, project: Project):
    assert champion_of(project) is None
    assert db.session.scalars(select(Release.state)).all() == ["retired"]


def test_the_same_labels_again_add_nothing(imported: ImportResult, tmp_path: Path, project: Project):
    again = load(tmp_path, project, ROWS)
    assert (again.added, again.duplicates) == (0, 3)
    assert db.session.scalar(select(func.count()).select_from(Label)) == 3


def test_another_decision_of_the_same_person_is_refused_and_the_first_kept(
    imported: ImportResult, tmp_path: Path, project: Project
):
    result = load(tmp_path, project, [{**ROWS[0], "text": "eight"}])
    assert "decided this question already" in result.rejected[0].reason
    assert labels(project)[0].text == "nine"


def test_an_export_comes_back_as_it_was(imported: ImportResult, tmp_path: Path, project: Project):
    exported = "".join(write_labels(project, "jsonl", filters=Filters(), drop=lambda _label, _reason: None))
    with write() as rows:
        other = create_project(rows, "Other", task="qa", base="starter", embedder="hash")
    assert load(tmp_path, other, [json.loads(line) for line in exported.splitlines()]).added == 3
    for before, after in zip(labels(project), labels(other), strict=True):
        same = (
            "verdict",
            "reject_reason",
            "text",
            "start",
            "end",
            "reason",
            "person_id",
            "seconds",
            "created_at",
            "edit_distance",
        )
        assert [getattr(before, name) for name in same] == [getattr(after, name) for name in same]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"verdict": "maybe"}, "no decision"),
        ({"verdict": "reject"}, "no decision"),
        ({"verdict": "accept", "text": ""}, "needs the right answer"),
        ({"person": ""}, "name"),
        ({"question": "x" * 20_000}, "shorten it"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_in_a_sentence(
    tmp_path: Path, project: Project, change: dict[str, Any], sentence: str
):
    result = load(tmp_path, project, [{**ROWS[0], **change}, ROWS[1]])
    assert result.added == 1
    assert (result.rejected[0].line, sentence in result.rejected[0].reason) == (1, True)
