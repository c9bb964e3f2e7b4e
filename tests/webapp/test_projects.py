"""Projects: created, found, set up, deleted."""

from html import unescape
from pathlib import Path

import pytest
from conftest import sign_in_as
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from webapp.db import write
from webapp.errors import Invalid, NotFound
from webapp.models import AuditEvent, Document, Job, Project, Question, Release, db
from webapp.people import service as people
from webapp.projects import service, settings


def test_a_person_creates_a_project_on_the_page(client: FlaskClient) -> None:
    response = client.post("/projects/new", data={"name": " Food  and drink ", "task": "qa", "base": "reader"})
    assert response.status_code == 303
    home = client.get(response.headers["Location"])
    assert home.status_code == 200
    assert "Food and drink" in home.text
    made = service.project_by_name("Food and drink")
    assert (made.task, made.base, made.embedder) == ("qa", "reader", "minilm")
    assert (
        db.session.scalars(select(AuditEvent).where(AuditEvent.action == "project.create")).one().project_id == made.id
    )


@pytest.mark.parametrize(("role", "page"), [("annotator", "annotate"), ("engineer", ""), ("admin", "")])
def test_signing_in_enters_the_only_project(app: Flask, project: Project, role: str, page: str) -> None:
    browser = app.test_client()
    with write() as session:
        token = people.create_link(session, people.create_person(session, "Noa", role=role))
    after = browser.post("/sign-in", data={"token": token}).headers["Location"]
    assert browser.get(after).headers["Location"] == f"/p/{project.id}/{page}"
    assert browser.get("/").status_code == 200  # the list stays one click away


def test_signing_in_shows_the_list_when_there_is_a_choice(app: Flask, project: Project) -> None:
    with write() as session:
        service.create_project(session, "Another")
        token = people.create_link(session, people.create_person(session, "Noa"))
    browser = app.test_client()
    landed = browser.get(browser.post("/sign-in", data={"token": token}).headers["Location"])
    assert "Another" in landed.text
    assert project.name in landed.text


def test_pages_call_a_task_by_its_title(client: FlaskClient, project: Project) -> None:
    for page in (client.get("/").text, client.get("/projects/new").text):
        assert "Question answering" in page
        assert "qa ·" not in page


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": ""}, "1 to 80"),
        ({"name": "x" * 81}, "1 to 80"),
        ({"name": "Restaurants"}, "taken"),
        ({"name": "A", "task": "poetry"}, "Choose a task"),
        ({"name": "A", "base": "/no/such/folder"}, "hub id"),
        ({"name": "A", "base": "../up"}, "hub id"),
        ({"name": "A", "base": ""}, "hub id"),
        ({"name": "A", "base": "a b"}, "hub id"),
        ({"name": "A", "base": "gpt2@0123456"}, "hub id"),
        ({"name": "A", "base": "readr"}, "did you mean reader?"),
        ({"name": "A", "base": "Starter"}, "did you mean starter?"),
        ({"name": "A", "embedder": "mini-lm"}, "did you mean minilm?"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field_and_nothing_typed_is_lost(
    client: FlaskClient, project: Project, form: dict[str, str], words: str
) -> None:
    page = client.post("/projects/new", data=form)
    assert page.status_code == 400
    assert words in page.text
    assert form["name"] in page.text
    assert len(service.list_projects()) == 1


@pytest.mark.parametrize(
    "base", ["starter", "reader", "distilgpt2", "bert-base-cased", "google/flan-t5-small", "qa/reader"]
)
def test_a_base_is_a_shipped_name_or_a_hub_id(app: Flask, base: str) -> None:
    with write() as session:
        assert service.create_project(session, "A", base=base).base == base


def make_folder(folder: Path, weights: str) -> str:
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    (folder / weights).write_bytes(b"weights")
    return str(folder)


def test_a_base_may_be_a_folder_of_safetensors(app: Flask, tmp_path: Path) -> None:
    base = make_folder(tmp_path / "model", "model.safetensors")
    with write() as session:
        assert service.create_project(session, "A", base=base).base == base


def test_a_folder_that_could_run_code_is_refused_when_it_is_chosen(app: Flask, tmp_path: Path) -> None:
    base = make_folder(tmp_path / "model", "pytorch_model.bin")
    with write() as session, pytest.raises(Invalid, match="save the model as safetensors"):
        service.create_project(session, "A", base=base)


def test_settings_have_defaults_and_bounds(project: Project) -> None:
    assert settings.read(project) == settings.ProjectSettings()
    with write() as session:
        changed = settings.update(session, project, train_after="100", epochs="2.5", method="lora")
    assert (changed.train_after, changed.epochs, changed.method, changed.overlap) == (100, 2.5, "lora", 1)
    assert settings.read(project) == changed


@pytest.mark.parametrize(
    "changes",
    [
        {"train_after": -1},
        {"train_after": "soon"},
        {"overlap": 0},
        {"lease_s": 1},
        {"passages_shown": 21},
        {"method": "magic"},
        {"colour": "red"},
    ],
)
def test_a_setting_out_of_bounds_changes_nothing(project: Project, changes: dict[str, object]) -> None:
    with pytest.raises(Invalid), write() as session:
        settings.update(session, project, seed=7, **changes)
    assert settings.read(project).seed == 0


def test_settings_are_changed_on_their_page(client: FlaskClient, project: Project) -> None:
    assert client.get(f"/p/{project.id}/settings").status_code == 200
    assert client.post(f"/p/{project.id}/settings", data={"overlap": "3"}).status_code == 200
    assert settings.read(service.project_or_404(project.id)).overlap == 3
    wrong = client.post(f"/p/{project.id}/settings", data={"overlap": "many"})
    assert wrong.status_code == 400
    assert "1 to 50" in wrong.text
    assert "many" in wrong.text


def test_every_setting_and_every_choice_is_explained_on_the_page(client: FlaskClient, project: Project) -> None:
    page = unescape(client.get(f"/p/{project.id}/settings").text)
    for row in settings.documented(project):
        assert f'id="help-{row["name"]}">{row["help"]}<' in page
        assert row["help"].endswith(".")
        assert all(words in page for words in dict(row["choices"]).values()), row["name"]
        assert f'<label for="field-{row["name"]}">{row["name"]}<' not in page  # a title, not its name in the code
    chosen = {name: next(reversed(words)) for name, words in settings.CHOICES.items()}
    assert client.post(f"/p/{project.id}/settings", data=chosen).status_code == 200
    kept = settings.read(service.project_or_404(project.id))
    assert {name: getattr(kept, name) for name in chosen} == chosen


def test_a_deleted_project_is_gone_for_everybody_and_its_name_is_free(client: FlaskClient, project: Project) -> None:
    wrong = client.post(f"/p/{project.id}/delete", data={"name": "Other"})
    assert wrong.status_code == 400
    assert 'id="error-name"' in wrong.text
    assert "nothing was deleted" in unescape(wrong.text)
    assert service.get_project(project.id) is not None
    client.post(f"/p/{project.id}/delete", data={"name": "Restaurants"})
    assert client.get(f"/p/{project.id}/").status_code == 404
    assert service.list_projects() == []
    with pytest.raises(NotFound, match="none yet"):
        service.project_by_name("Restaurants")
    with write() as session:
        service.create_project(session, "Restaurants")


def test_only_an_administrator_deletes(app: Flask, project: Project) -> None:
    engineer = sign_in_as(app, "Cy", "engineer")
    assert engineer.post(f"/p/{project.id}/delete", data={"name": "Restaurants"}).status_code == 403


def test_the_home_page_says_what_to_do_next(client: FlaskClient, project: Project) -> None:
    assert service.overview(project).next_step == "add_documents"
    with write() as session:
        session.add(Document(project_id=project.id, text="Bella opens at nine.", sha256="a" * 64))
    assert service.overview(project).next_step == "build_index"
    with write() as session:
        session.add(Question(project_id=project.id, text="When does Bella open?", sha256="b" * 64))
    seen = service.overview(project)
    assert (seen.documents, seen.questions, seen.open_questions, seen.labels) == (1, 1, 1, 0)
    assert client.get(f"/p/{project.id}/").status_code == 200


def test_the_home_page_has_one_card_for_work_of_one_kind(client: FlaskClient, project: Project) -> None:
    with write() as session:
        waits, runs, other = (
            Job(kind=kind, project_id=project.id, payload={}, priority=1) for kind in ("predict", "predict", "index")
        )
        session.add_all([waits, runs, other])
        runs.state = "running"
        session.flush()
        shown = [runs.id, other.id]
    assert [job.id for job in service.overview(project).active_jobs] == shown
    assert client.get(f"/p/{project.id}/").text.count("Preparing answers") == 1


def test_answering_ahead_that_was_cancelled_is_taken_up_again_from_the_home_page(
    app: Flask, client: FlaskClient, project: Project
) -> None:
    address = f"/p/{project.id}/"
    with write() as session:
        for number, state in enumerate(("open", "done")):
            session.add(Question(project_id=project.id, text=f"When {number}?", sha256=f"{number}" * 64, state=state))
        release = Release(
            project_id=project.id,
            number=1,
            state="champion",
            answerer_path="a",
            answerer_sha256="",
            embedder="e",
            sha256="",
            reason="first",
        )
        session.add(release)
        session.flush()
        session.get_one(Project, project.id).champion_id = release.id
    assert "1 waiting question has no answer yet." in client.get(address).text
    annotator = sign_in_as(app, "Cy", "annotator")
    assert "ask/ahead" not in annotator.get(address).text
    assert annotator.post(f"{address}ask/ahead").status_code == 403
    assert client.post(f"{address}ask/ahead").status_code == 303
    [job] = db.session.scalars(select(Job).where(Job.kind == "predict"))
    assert job.state == "queued"
    page = client.get(address).text
    assert "Preparing answers" in page
    assert "no answer yet" not in page


def test_an_empty_start_page_says_how_to_begin(client: FlaskClient) -> None:
    assert "/projects/new" in client.get("/").text
