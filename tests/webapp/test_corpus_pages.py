"""The corpus pages as a browser without JavaScript uses them."""

import html
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select

from webapp.corpus import index
from webapp.db import write
from webapp.home import home
from webapp.jobs.run import run_here
from webapp.models import Document, Job, Project, Question, db

CSV = b"code,words\n1,Kavo Bistro opens at nine.\n2,Red Tido serves lunch.\n"


def send(client: FlaskClient, project: Project, content: bytes, name: str, kind: str = "documents") -> Any:
    data = {"file": (io.BytesIO(content), name), "kind": kind}
    return client.post(f"/p/{project.id}/corpus/import", data=data, content_type="multipart/form-data")


def run_newest(kind: str = "import") -> Job:
    job = db.session.scalar(select(Job).where(Job.kind == kind).order_by(Job.id.desc()))
    assert job is not None
    assert run_here(job.id)
    return db.session.get_one(Job, job.id, populate_existing=True)


def count(table: Any) -> int:
    return int(db.session.scalar(select(func.count()).select_from(table)) or 0)


def test_an_upload_becomes_documents_and_asks_for_an_index(client: FlaskClient, project: Project):
    rows = [json.dumps({"id": "a", "title": "Kavo", "text": "Kavo opens at nine."}), "{broken"]
    response = send(client, project, "\n".join(rows).encode(), "kavo.jsonl")
    assert response.status_code == 303
    assert "kavo.jsonl" in client.get(response.location).text
    job = run_newest()
    assert job.state == "succeeded", job.error
    page = client.get(f"/p/{project.id}/corpus").text
    assert "1 added, 0 there already, 1 refused of 2 read" in page
    assert "Line 2:" in page
    assert "Kavo" in page
    assert db.session.scalar(select(Job.state).where(Job.kind == "index")) == "queued"
    assert not list((home() / "uploads").iterdir())
    details = client.get(f"/p/{project.id}/corpus/imports/{job.id}").text
    assert "not JSON" in details


def test_unknown_columns_get_a_form_and_the_choice_is_used(client: FlaskClient, project: Project):
    response = send(client, project, CSV, "table.csv")
    assert response.status_code == 303
    form = client.get(response.location).text
    assert "Which column holds what in table.csv?" in form
    assert "Kavo Bistro opens at nine." in form
    assert count(Job) == 0
    refused = client.post(response.location, data={"id": "code"})
    assert refused.status_code == 400
    assert "Choose the column that holds the text." in refused.text
    chosen = client.post(response.location, data={"id": "code", "text": "words", "title": ""})
    assert chosen.status_code == 303
    assert run_newest().state == "succeeded"
    assert db.session.scalars(select(Document.external_id).order_by(Document.id)).all() == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"", "empty.csv", "empty"),
        (b"", "empty.txt", "empty"),
        (bytes(range(256)) * 8, "photo.txt", "binary"),
        (b"text", "slides.pptx", "cannot be read"),
        (b"\xff\xfea\x00", "utf16.csv", "UTF-16"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(
    client: FlaskClient, project: Project, content: bytes, name: str, sentence: str
):
    response = send(client, project, content, name)
    assert response.status_code == 400, response.text
    found = re.search(r'class="error"[^>]*>([^<]*)<', response.text)
    assert found
    assert sentence in found[1]
    assert (count(Job), list((home() / "uploads").iterdir())) == (0, [])


def test_a_form_without_a_file_or_with_an_unknown_kind_is_refused(client: FlaskClient, project: Project):
    empty = client.post(f"/p/{project.id}/corpus/import", data={"kind": "documents"})
    assert empty.status_code == 400
    assert "Choose a file" in empty.text
    assert send(client, project, CSV, "a.csv", kind="secrets").status_code == 400
    assert count(Job) == 0


def test_the_name_of_an_upload_is_never_a_path(client: FlaskClient, project: Project):
    send(client, project, b"Kavo opens at nine.", "../../../evil.txt")
    assert not (home().parent / "evil.txt").exists()
    (folder,) = (home() / "uploads").iterdir()
    assert re.fullmatch(r"[0-9a-f]{32}", folder.name)
    run_newest()
    assert db.session.scalar(select(Document.title)) == "evil"


def test_the_form_asks_for_what_is_missing_and_guesses_nothing_that_was_left_out(client: FlaskClient, project: Project):
    response = send(client, project, b"question,antwort,context\nWho cooks?,Ada,Ada cooks.\n", "gold.csv", kind="gold")
    assert "do not say which one holds the answers." in client.get(response.location).text
    chosen = client.post(response.location, data={"question": "question", "answers": "antwort", "context": ""})
    assert chosen.status_code == 303
    assert run_newest().state == "succeeded"
    gold = db.session.scalar(select(Question.gold))
    assert gold is not None
    assert gold["context"] == ""


def test_an_upload_of_another_project_cannot_be_mapped(client: FlaskClient, project: Project, app: Flask):
    from webapp.projects.service import create_project

    location = send(client, project, CSV, "table.csv").location
    with write() as rows:
        other = create_project(rows, "Other", task="qa", base="starter", embedder="hash")
    assert client.get(location.replace(f"/p/{project.id}/", f"/p/{other.id}/")).status_code == 404
    assert client.get(f"/p/{project.id}/corpus/import/..").status_code == 404


def test_a_form_sent_twice_imports_once(client: FlaskClient, project: Project):
    location = send(client, project, CSV, "table.csv").location
    data = {"text": "words"}
    assert client.post(location, data=data).status_code == 303
    assert client.post(location, data=data).status_code == 409
    assert count(Job) == 1


def test_questions_are_imported_by_page(client: FlaskClient, project: Project):
    send(client, project, b"Are dogs welcome?\nIs there parking?\n", "questions.txt", kind="questions")
    assert run_newest().state == "succeeded"
    assert count(Question) == 2


def test_gold_answers_that_are_not_in_their_context_are_named_on_the_page(client: FlaskClient, project: Project):
    row = {"question": "Who cooks?", "context": "Kavo opens at nine.", "answers": ["Ada"]}
    send(client, project, json.dumps(row).encode(), "gold.jsonl", kind="gold")
    job = run_newest()
    assert count(Question) == 1
    for path in ("corpus", f"corpus/imports/{job.id}"):
        page = client.get(f"/p/{project.id}/{path}").text
        assert "1 of those added look wrong" in page
        assert "<b>Line 1:</b> The answer &#39;Ada&#39; is not in the row&#39;s context" in page


def test_documents_are_searched_shown_and_deleted(client: FlaskClient, project: Project):
    send(
        client,
        project,
        b'{"title": "Kavo", "text": "Dogs welcome."}\n{"title": "Tido", "text": "Lunch."}\n',
        "two.jsonl",
    )
    run_newest()
    kavo = db.session.scalar(select(Document).where(Document.title == "Kavo"))
    assert kavo is not None
    found = client.get(f"/p/{project.id}/corpus?q=dogs").text
    assert "Kavo" in found
    assert "Tido" not in found
    assert "Nothing found" in client.get(f"/p/{project.id}/corpus?q=zebra&page=99").text
    assert "Dogs welcome." in client.get(f"/p/{project.id}/corpus/documents/{kavo.id}").text
    assert client.post(f"/p/{project.id}/corpus/documents/delete", data={}).status_code == 400
    assert client.post(f"/p/{project.id}/corpus/documents/delete", data={"document": [kavo.id]}).status_code == 303
    assert client.get(f"/p/{project.id}/corpus/documents/{kavo.id}").status_code == 404
    assert index.is_out_of_date(project)


def test_an_index_that_was_never_made_has_a_button(client: FlaskClient, project: Project):
    send(client, project, b"Kavo opens at nine.", "kavo.txt")
    run_newest()
    with write() as rows:
        for job in rows.scalars(select(Job).where(Job.kind == "index")):
            rows.delete(job)
    page = client.get(f"/p/{project.id}/corpus").text
    assert "The index is not built yet." in page
    assert "out of date" not in page
    for _ in range(2):
        assert client.post(f"/p/{project.id}/corpus/index").status_code == 303
    assert db.session.scalar(select(func.count()).where(Job.kind == "index")) == 1
    assert "Index: No worker is running: start one with `errata worker`." in client.get(f"/p/{project.id}/corpus").text


def test_a_failed_index_says_why_until_one_succeeds(client: FlaskClient, project: Project, tmp_path: Path):
    base = tmp_path / "base"
    with write() as rows:
        rows.get_one(Project, project.id).base = str(base)
    send(client, project, b"Kavo opens at nine.", "kavo.txt")
    run_newest()
    failed = run_newest("index")
    assert failed.state == "failed"
    assert failed.error
    page = html.unescape(client.get(f"/p/{project.id}/corpus").text)
    assert f"The last try failed: {failed.error}" in page
    assert "The index is not built yet." in page
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (base / "model.safetensors").write_bytes(b"weights")
    client.post(f"/p/{project.id}/corpus/index")
    assert "The last try failed" not in client.get(f"/p/{project.id}/corpus").text  # it is tried again
    assert run_newest("index").state == "succeeded"
    send(client, project, b"Red Tido serves lunch.", "tido.txt")
    run_newest()
    with write() as rows:
        rows.execute(delete(Job).where(Job.kind == "index", Job.state == "queued"))
    page = client.get(f"/p/{project.id}/corpus").text
    assert "The last try failed" not in page
    assert "The index is out of date" in page


def test_the_fragments_are_parts_of_the_page(client: FlaskClient, project: Project):
    for target in ("state", "documents"):
        part = client.get(f"/p/{project.id}/corpus", headers={"HX-Request": "true", "HX-Target": target})
        assert "<html" not in part.text
        assert "HX-Request" in part.headers["Vary"]


def test_the_list_is_asked_for_again_as_soon_as_the_card_counts_more_documents(client: FlaskClient, project: Project):
    headers = {"HX-Request": "true", "HX-Target": "state"}
    send(client, project, CSV, "notes.txt")
    assert 'seen=0"' in client.get(f"/p/{project.id}/corpus", headers=headers).text
    run_newest()  # its index waits for the worker: the card goes on asking
    changed = client.get(f"/p/{project.id}/corpus?seen=0", headers=headers)
    assert 'seen=1"' in changed.text
    assert changed.headers["HX-Trigger"] == "corpus-changed"
    assert "HX-Trigger" not in client.get(f"/p/{project.id}/corpus?seen=1", headers=headers).headers


def test_an_empty_corpus_says_what_to_do(client: FlaskClient, project: Project):
    assert "No documents yet" in client.get(f"/p/{project.id}/corpus").text


def test_text_from_files_is_shown_as_text(client: FlaskClient, project: Project):
    send(
        client, project, b'{"title": "<script>alert(1)</script>", "text": "<img src=x onerror=alert(1)>"}', "evil.jsonl"
    )
    run_newest()
    assert "<script>alert(1)" not in client.get(f"/p/{project.id}/corpus").text
    identity = db.session.scalar(select(Document.id))
    assert "<img src=x" not in client.get(f"/p/{project.id}/corpus/documents/{identity}").text


def test_an_annotator_may_look_and_not_change(annotator: FlaskClient, project: Project):
    assert annotator.get(f"/p/{project.id}/corpus").status_code == 200
    assert send(annotator, project, CSV, "a.csv").status_code == 403
    for path in ("index", "documents/delete"):
        assert annotator.post(f"/p/{project.id}/corpus/{path}").status_code == 403
    assert count(Job) == 0


def test_a_stranger_and_a_missing_project_get_nowhere(anonymous: FlaskClient, client: FlaskClient, project: Project):
    assert anonymous.get(f"/p/{project.id}/corpus").status_code == 401
    assert client.get("/p/999/corpus").status_code == 404
    assert client.get(f"/p/{project.id}/corpus/import").status_code == 405
