"""Marks that people gave a model's answers come in as labels of three weights."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import func, select

from retriever.embedder import HashEmbedder
from webapp.cli.corpus import import_
from webapp.corpus import service as corpus
from webapp.corpus.importing import ImportResult
from webapp.datasets.files import SPLITS, read_rejects, reject_to_json
from webapp.datasets.service import build_examples
from webapp.db import write
from webapp.label.export import Filters, write_labels
from webapp.label.service import current_labels
from webapp.models import Document, Label, Project, Question, Release, db
from webapp.projects.service import create_project
from webapp.releases.memory import ProjectMemory
from webapp.releases.service import champion_of
from webapp.settings import Settings

CONTEXT = "Kavo Bistro opens at nine and closes at midnight. Dogs are welcome."
OTHER = "Lumo Bar opens at noon."
ROWS: list[dict[str, Any]] = [
    {"id": "a", "question": "When does it open?", "context": CONTEXT, "prediction": "at nine", "feedback": "Correct", "title": "Kavo"},
    {"id": "b", "question": "When does it close?", "context": CONTEXT, "prediction": "closes at midnight", "feedback": "Partially Correct"},
    {"id": "c", "question": "Who is welcome?", "context": CONTEXT, "prediction": "nine", "feedback": "Wrong", "log_prob": -3.1},
    {"id": "d", "question": "Is there parking?", "context": CONTEXT, "prediction": "[Unanswerable given the text]", "feedback": "correct"},
]  # fmt: skip


def load(folder: Path, project: Project, rows: list[Any], name: str = "marks.jsonl") -> ImportResult:
    path = folder / name
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return corpus.import_file(path, project=project, kind="feedback")


def labels(project: Project) -> list[Label]:
    return list(db.session.scalars(current_labels(project.id).order_by(Label.id)))


def test_each_mark_becomes_a_label_of_its_own_weight(tmp_path: Path, project: Project):
    result = load(tmp_path, project, ROWS)
    assert (result.kind, result.read, result.added, result.rejected) == ("feedback", 4, 4, ())
    found = [(label.verdict, label.reject_reason, label.text, label.weight) for label in labels(project)]
    assert found == [
        ("accept", None, "at nine", 1.0),
        ("accept", None, "closes at midnight", 0.5),
        ("reject", "wrong_answer", "", -0.1),
        ("accept", None, "", 1.0),
    ]
    wrong, refused = labels(project)[2:]
    assert wrong.answer is not None
    assert (wrong.answer.text, wrong.answer.passages[0].passage.text) == ("nine", CONTEXT)
    assert refused.answer is not None
    assert (refused.answer.text, refused.answer.answerable) == ("", False)


def test_only_an_accepted_answer_in_words_tells_where_answers_stand(tmp_path: Path, project: Project):
    load(tmp_path, project, ROWS)
    first, second, *others = labels(project)
    assert [label.passage_id is None for label in others] == [True, False]
    remembered = ProjectMemory(project.id).current(HashEmbedder()).remembered
    assert [item.label for item in remembered] == [first.id, second.id]
    assert {found.triple.label for found in build_examples(project).triples} == {first.id, second.id}


def test_the_weights_reach_the_examples(tmp_path: Path, project: Project):
    load(tmp_path, project, ROWS)
    decided = build_examples(project).decided
    found = {row.question_text: (row.kind, row.weight) for row in (*decided.rows, *decided.rejects)}
    assert found["When does it open?"] == ("accept", 1.0)
    assert found["When does it close?"] == ("accept", 0.5)
    assert found["Who is welcome?"] == ("reject", -0.1)


def test_not_answerable_marked_wrong_is_read_back_as_what_must_not_be_said_of_its_context(
    tmp_path: Path, project: Project
):
    load(tmp_path, project, [{**row, "feedback": "Wrong"} for row in ROWS[2:]])
    built = build_examples(project)
    assert not built.left_out
    lines = [reject_to_json(example, split) for split, example in built.rejects]
    (tmp_path / "rejects.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    back = [row for split in SPLITS for row in read_rejects(tmp_path, split)]
    found = {row.text: (row.target.text, row.target.answerable, row.weight, row.passage) for row in back}
    assert found == {"Who is welcome?": ("nine", True, -0.1, CONTEXT), "Is there parking?": ("", False, -0.1, CONTEXT)}


def test_the_answers_belong_to_no_release_in_service_and_the_context_is_one_document(tmp_path: Path, project: Project):
    load(tmp_path, project, ROWS)
    assert champion_of(project) is None
    assert db.session.scalars(select(Release.state)).all() == ["retired"]
    assert db.session.scalars(select(Document.title)).all() == ["Kavo"]


def test_one_question_about_two_contexts_is_two_questions(tmp_path: Path, project: Project):
    result = load(tmp_path, project, [ROWS[0], {**ROWS[0], "id": "e", "context": OTHER, "prediction": "at noon"}])
    assert result.added == 2
    assert db.session.scalar(select(func.count()).select_from(Question)) == 2


def test_the_same_file_again_adds_nothing_and_another_mark_is_refused(tmp_path: Path, project: Project):
    load(tmp_path, project, ROWS)
    again = load(tmp_path, project, [*ROWS, {**ROWS[0], "feedback": "Wrong"}])
    assert (again.added, again.duplicates) == (0, 4)
    assert [(row.line, "decided this question already" in row.reason) for row in again.rejected] == [(5, True)]


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({**ROWS[0], "feedback": "great"}, "expected Correct, Partially Correct or Wrong"),
        ({**ROWS[0], "prediction": None}, "no prediction"),
        ({**ROWS[0], "context": " "}, "no context"),
        ({**ROWS[0], "question": ""}, "question is empty"),
        ('{"question": ', "is not JSON"),
    ],
)
def test_a_bad_line_is_named_and_the_good_ones_go_in(tmp_path: Path, project: Project, bad: Any, sentence: str):
    result = load(tmp_path, project, [ROWS[1], bad, ROWS[2]])
    assert result.added == 2
    assert [(row.line, sentence in row.reason) for row in result.rejected] == [(2, True)]


def test_a_json_list_is_read_too(tmp_path: Path, project: Project):
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(ROWS), encoding="utf-8")
    assert corpus.import_file(path, project=project, kind="feedback").added == 4


def test_weights_survive_an_export_and_its_import(tmp_path: Path, project: Project):
    load(tmp_path, project, ROWS)
    exported = "".join(write_labels(project, "jsonl", filters=Filters(), drop=lambda _label, _reason: None))
    with write() as rows:
        other = create_project(rows, "Other", task="qa", base="starter", embedder="hash")
    (tmp_path / "labels.jsonl").write_text(exported, encoding="utf-8")
    corpus.import_file(tmp_path / "labels.jsonl", project=other, kind="labels")
    assert [label.weight for label in labels(other)] == [1.0, 0.5, -0.1, 1.0]


def test_the_command_says_what_went_in(
    tmp_path: Path, project: Project, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "marks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    monkeypatch.setenv("ERRATA_HOME", str(settings.home))
    command = [project.name, str(tmp_path / "marks.jsonl"), "--kind", "feedback", "--json"]
    result = CliRunner().invoke(import_, command)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert (printed["kind"], printed["added"], printed["rejected"]) == ("feedback", 4, [])


def test_the_import_page_offers_it(client: FlaskClient, project: Project):
    page = client.get(f"/p/{project.id}/corpus").get_data(as_text=True)
    assert 'value="feedback"' in page
