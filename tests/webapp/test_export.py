"""Labels as JSON lines, CSV and SQuAD: every label in it or named with a reason, no formula for a spreadsheet to run."""

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.webapp.labelled import Labelled, make_labelled
from tests.webapp.queue_rows import add_queue, decide, set_project, take
from webapp.errors import Invalid
from webapp.jobs.run import run_here
from webapp.label.export import CHOICES, Filters, is_formula, write_labels
from webapp.label.export_files import export_to
from webapp.models import Job, Person, Project, db
from webapp.projects.service import overview


@pytest.fixture
def labelled(app: Flask, project: Project, person: Person) -> Labelled:
    return make_labelled(project, person)


def exported(labelled: Labelled, path: Path, format_name: str, **filters: Any) -> tuple[str, list[dict[str, Any]]]:
    done = export_to(path, labelled.project, format_name, filters=Filters(**filters), report=lambda *_: None)
    text = path.read_bytes().decode()
    assert hashlib.sha256(text.encode()).hexdigest() == done.sha256
    return text, done.dropped


def test_json_lines_hold_every_current_label_with_what_the_model_had_shown(labelled: Labelled, tmp_path: Path):
    text, dropped = exported(labelled, tmp_path / "labels.jsonl", "jsonl")
    rows = {row["label"]: row for row in map(json.loads, text.splitlines())}
    assert not dropped
    assert set(rows) == set(labelled.current)
    corrected = rows[labelled.by_verdict["correct"]]
    assert corrected["question"] == "When does Bistro Luna open?"
    assert (corrected["text"], corrected["shown_answer"], corrected["release"]) == ("=9 am", "8 am", 1)
    assert corrected["passage"][corrected["start"] : corrected["end"]] == "=9 am"
    assert [one["rank"] for one in corrected["passages"]] == [1, 2]


def test_the_home_page_counts_the_labels_that_stand(labelled: Labelled):
    # Neither what was replaced or undone nor a skip: six of the file but one.
    assert set(labelled.by_verdict) == {"correct", "accept", "wrong_answer", "wrong_passage", "unanswerable", "skip"}
    assert overview(labelled.project).labels == len(labelled.current) - 1


def test_an_undone_or_superseded_label_is_not_exported(labelled: Labelled, tmp_path: Path):
    text, _ = exported(labelled, tmp_path / "labels.jsonl", "jsonl")
    labels = {json.loads(line)["label"] for line in text.splitlines()}
    assert labelled.undone not in labels
    assert labelled.superseded not in labels


def test_csv_neutralises_what_a_spreadsheet_would_run_and_says_where(labelled: Labelled, tmp_path: Path):
    text, _ = exported(labelled, tmp_path / "labels.csv", "csv")
    rows = {int(row["label"]): row for row in csv.DictReader(text.splitlines())}
    corrected = rows[labelled.by_verdict["correct"]]
    assert corrected["text"] == "'=9 am"
    assert "text" in corrected["neutralised"].split()
    assert not [cell for row in rows.values() for cell in row.values() if is_formula(cell)]
    accepted = rows[labelled.by_verdict["accept"]]
    assert accepted["neutralised"] == ""
    assert accepted["text"] == "yes"


def test_the_files_say_which_labels_were_made_without_the_models_answer(
    client: FlaskClient, project: Project, tmp_path: Path
):
    add_queue(project, 2)
    for share in (1, 0):
        set_project(project, blind=share)
        question, form = take(client, project)
        assert decide(client, project, question, form, "unanswerable").status_code == 303
    quiet: Any = {"filters": Filters(), "report": lambda *_: None}
    export_to(tmp_path / "labels.jsonl", project, "jsonl", **quiet)
    export_to(tmp_path / "labels.csv", project, "csv", **quiet)
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [line["is_blind"] for line in lines] == [True, False]
    assert client.get(f"/p/{project.id}/dataset?kind=negative").text.count("without the model's answer</span>") == 1
    with (tmp_path / "labels.csv").open(newline="") as file:
        assert [row["is_blind"] for row in csv.DictReader(file)] == ["True", "False"]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "  =1", "\r=1", "＝1"])
def test_it_knows_a_formula_when_it_sees_one(cell: str):
    assert is_formula(cell)


@pytest.mark.parametrize("cell", ["9 am", "a=b", "", "'=1", 5, -5, None, True])
def test_it_leaves_plain_cells_alone(cell: Any):
    assert not is_formula(cell)


def test_squad_answers_stand_in_their_context_and_the_rest_is_dropped_with_a_reason(labelled: Labelled, tmp_path: Path):
    path = tmp_path / "labels.json"
    text, dropped = exported(labelled, path, "squad")
    paragraphs = [paragraph for article in json.loads(text)["data"] for paragraph in article["paragraphs"]]
    held = {}
    for paragraph in paragraphs:
        for question in paragraph["qas"]:
            held[int(question["id"])] = question
            assert question["is_impossible"] == (not question["answers"])
            for answer in question["answers"]:
                start = answer["answer_start"]
                assert paragraph["context"][start : start + len(answer["text"])] == answer["text"]
    reasons = {row["label"]: row["reason"] for row in dropped}
    assert set(held) | set(reasons) == set(labelled.current)
    assert not set(held) & set(reasons)
    assert "without giving the right one" in reasons[labelled.by_verdict["wrong_answer"]]
    assert "skip" in reasons[labelled.by_verdict["skip"]]
    assert held[labelled.by_verdict["unanswerable"]]["is_impossible"]
    side = [json.loads(line) for line in (tmp_path / "labels.json.dropped.jsonl").read_text().splitlines()]
    assert side == dropped


def test_an_export_can_be_filtered_by_verdict(labelled: Labelled, tmp_path: Path):
    text, _ = exported(labelled, tmp_path / "labels.jsonl", "jsonl", verdicts=("accept", "skip"))
    assert {json.loads(line)["verdict"] for line in text.splitlines()} == {"accept", "skip"}


def test_it_refuses_an_unknown_format_or_verdict_and_writes_nothing(labelled: Labelled, tmp_path: Path):
    with pytest.raises(Invalid, match="not an export format"):
        export_to(tmp_path / "x", labelled.project, "xlsx", filters=Filters(), report=lambda *_: None)
    with pytest.raises(Invalid, match="not a verdict"):
        export_to(tmp_path / "x", labelled.project, "csv", filters=Filters(("maybe",)), report=lambda *_: None)
    with pytest.raises(Invalid, match="no folder"):
        export_to(tmp_path / "absent" / "x", labelled.project, "csv", filters=Filters(), report=lambda *_: None)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_failing_export_leaves_the_old_file_alone(labelled: Labelled, tmp_path: Path):
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "labels.jsonl"
    path.write_text("old")

    def stop(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        export_to(path, labelled.project, "jsonl", filters=Filters(), report=stop)
    assert path.read_text() == "old"
    assert list(folder.iterdir()) == [path]


def test_rows_come_a_page_at_a_time(labelled: Labelled, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("webapp.label.export.PAGE", 2)
    lines = list(write_labels(labelled.project, "jsonl", filters=Filters(), drop=lambda *_: None))
    assert [json.loads(line)["label"] for line in lines] == sorted(labelled.current)


def test_the_page_writes_an_export_that_downloads_as_an_attachment_in_a_sandbox(
    client: FlaskClient, labelled: Labelled
):
    address = f"/p/{labelled.project.id}/export"
    assert client.post(address, data={"format": "squad", "verdict": list(CHOICES)}).status_code == 303
    job = db.session.query(Job).filter_by(kind="export").one()
    assert run_here(job.id)
    page = client.get(address).text
    assert "labels this format cannot hold, and why" in page
    assert "labels: accepted" not in page
    total = len(labelled.current)
    assert f"Wrote {total - 2} of {total}" in client.get(f"/jobs/{job.id}").text
    with client.get(f"{address}/{job.id}/labels") as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        assert json.loads(answer.text)["version"] == "v2.0"
    with client.get(f"{address}/{job.id}/dropped") as side:
        assert side.text.count("\n") == 2


def test_a_finished_export_says_which_decisions_it_holds(client: FlaskClient, labelled: Labelled):
    address = f"/p/{labelled.project.id}/export"
    client.post(address, data={"format": "jsonl", "verdict": ["accept", "reject"]})
    assert run_here(db.session.query(Job).filter_by(kind="export").one().id)
    assert re.search(r"\d labels: accepted, rejected\.", client.get(address).text)


def test_the_page_refuses_an_unknown_format_another_project_and_strangers(
    client: FlaskClient, anonymous: FlaskClient, labelled: Labelled
):
    address = f"/p/{labelled.project.id}/export"
    assert client.post(address, data={"format": "exe"}).status_code == 400
    assert client.get(f"{address}/999/labels").status_code == 404
    assert client.get("/p/999/export").status_code == 404
    assert anonymous.get(address).status_code in (302, 303, 401)
    assert client.get(f"{address}/1/else").status_code == 404


def test_nothing_chosen_is_refused_and_exports_nothing(client: FlaskClient, labelled: Labelled) -> None:
    address = f"/p/{labelled.project.id}/export"
    page = client.post(address, data={"format": "jsonl"})
    assert page.status_code == 400
    assert "No decision is chosen, so there is nothing to export; tick at least one." in page.text
    assert db.session.scalars(select(Job).where(Job.kind == "export")).all() == []
