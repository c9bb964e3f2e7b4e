"""The command line: one JSON object, one sentence on standard error, exit code 2 for misuse and 1 for failure."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from serving_kit import DOCUMENTS, add_candidate, build_served, flip_bit
from sqlalchemy import select

from webapp import cli
from webapp.cli import COMMANDS
from webapp.cli.common import opened
from webapp.db import write
from webapp.heartbeat import beat
from webapp.home import absolute
from webapp.models import AuditEvent, Question, db
from webapp.projects.service import project_by_name
from webapp.releases.service import champion_of
from webapp.settings import Settings


class Shell:
    """Runs commands in this process, on a home of its own."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.capsys = capsys
        self.monkeypatch = monkeypatch
        monkeypatch.setenv("ERRATA_HOME", str(home))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["errata", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def json(self, *arguments: str) -> dict[str, Any]:
        code, out, error = self.run(*arguments, "--json")
        assert code == 0, error
        found: dict[str, Any] = json.loads(out)
        return found

    def refusal(self, *arguments: str, code: int) -> str:
        found, out, error = self.run(*arguments)
        assert found == code, (out, error)
        assert error.count("\n") == 1, error
        assert "Traceback" not in error
        return error


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path / "home", capsys, monkeypatch)


def test_a_project_is_created_listed_set_up_and_deleted(shell: Shell) -> None:
    made = shell.json("project", "create", "Food", "--task", "qa", "--base", "reader")
    assert made == {"project": 1, "name": "Food", "task": "qa", "base": "reader", "embedder": "minilm"}
    assert shell.json("project", "list")["projects"][0]["labels"] == 0
    assert shell.json("project", "set", "Food", "overlap=2")["overlap"] == 2
    assert shell.json("project", "delete", "Food", "--yes") == {"project": 1, "deleted": True}
    assert shell.json("project", "list")["projects"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("project", "create", "Food", "--task", "poetry"), "poetry"),
        (("project", "create", "Food", "--base", "/no/folder"), "hub id"),
        (("project", "create", "Food", "--base", "readr"), "There is no model 'readr'; did you mean reader?"),
        (("project", "create"), "Missing argument"),
        (("project", "set", "Food", "overlap=2"), "no project named"),
        (("project", "set", "Food", "overlap"), "SETTING=VALUE"),
        (("user", "link", "Nobody"), "errata user add"),
        (("user", "add", "A", "--role", "king"), "king"),
        (("fly",), "fly"),
        (("ask", "Food", "x"), "no project named"),
        (("ask", "Food", "x" * 10_001), "10,000"),
        (("promote", "Food"), "no project named"),
        (("restore", "/no/backup"), "not a backup"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_two(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    assert words in shell.refusal(*arguments, code=2)


def test_a_wrong_variable_is_misuse(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERRATA_PROT", "1")
    assert "ERRATA_PORT" in shell.refusal("project", "list", code=2)


def test_a_person_is_added_and_their_link_works_once(shell: Shell) -> None:
    from webapp import create_app

    made = shell.json("user", "add", "Ada", "--role", "admin")
    assert made["link"].startswith("http://127.0.0.1:8765/sign-in?token=")
    with opened(Settings(home=shell.home)), write() as session:
        beat(session, "web-2", url="http://127.0.0.1:9000")
    another = shell.json("user", "link", "Ada")["link"]
    assert another.startswith("http://127.0.0.1:9000/sign-in?token=")  # where it is served, whichever process says so
    app = create_app(Settings(home=shell.home))
    app.config["WTF_CSRF_ENABLED"] = False
    for link, status in ((made["link"], 303), (another, 303), (another, 400)):
        assert app.test_client().post("/sign-in", data={"token": link.partition("=")[2]}).status_code == status
    assert shell.json("user", "list")["people"] == [{"person": 1, "name": "Ada", "role": "admin", "active": True}]
    assert "last administrator" in shell.refusal("user", "disable", "Ada", code=2)


def test_a_question_is_answered_without_a_server(shell: Shell, tmp_path: Path) -> None:
    with opened(Settings(home=shell.home)):
        build_served(tmp_path, name="Served")
    found = shell.json("ask", "Served", "When does Chez Bella open?")
    assert set(found) == {"answer", "answerable", "score", "release", "passages", "seconds"}
    assert found["release"] == 1
    best = found["passages"][0]
    assert best["rank"] == 1
    assert "Bella" in best["text"]
    assert best["text"] in DOCUMENTS["bella"]


def test_a_project_without_a_release_names_the_command_that_makes_one(shell: Shell) -> None:
    shell.json("project", "create", "Food")
    assert 'errata index "Food"' in shell.refusal("ask", "Food", "Anything?", code=2)


def test_releases_are_promoted_and_rolled_back(shell: Shell, tmp_path: Path) -> None:
    from serving_kit import add_candidate

    with opened(Settings(home=shell.home)):
        add_candidate(build_served(tmp_path, name="Served"))
    assert shell.json("promote", "Served") == {"champion": 2, "previous": 1}
    assert shell.json("rollback", "Served", "--reason", " ") == {"champion": 1, "previous": 2}
    with opened(Settings(home=shell.home)):
        events = db.session.scalars(
            select(AuditEvent).where(AuditEvent.action == "release.promote").order_by(AuditEvent.id)
        )
        assert [event.detail["reason"] for event in events][-2:] == [
            "Promoted from the command line.", "Rolled back from the command line.",
        ]  # fmt: skip
    assert shell.json("promote", "Served", "2") == {"champion": 2, "previous": 1}
    assert "champion already" in shell.refusal("promote", "Served", "2", code=2)
    assert "no release 9" in shell.refusal("promote", "Served", "9", code=2)


def test_the_doctor_names_what_is_wrong_and_the_command_that_mends_it(shell: Shell, tmp_path: Path) -> None:
    with opened(Settings(home=shell.home)):
        champion = champion_of(build_served(tmp_path, name="Served"))
        assert champion is not None
        folder = absolute(champion.answerer_path)
    code, out, _ = shell.run("doctor", "--json")
    found = {check["name"]: check for check in json.loads(out)["checks"]}
    assert code == 1  # nothing runs
    assert found["process worker"] == {**found["process worker"], "ok": False, "mend": "errata worker"}
    assert found["release of Served"]["ok"]
    assert found["sqlite"]["ok"]
    assert found["durability"]["ok"]
    flip_bit(folder, ".safetensors")
    _, out, _ = shell.run("doctor", "--json")
    damaged = next(check for check in json.loads(out)["checks"] if check["name"] == "release of Served")
    assert (damaged["ok"], damaged["mend"]) == (False, 'errata index "Served"')
    assert shell.json("index", "Served")["release"] == 2
    _, out, _ = shell.run("doctor", "--json")
    assert next(check for check in json.loads(out)["checks"] if check["name"] == "release of Served")["ok"]
    assert shell.json("ask", "Served", "Are dogs allowed?")["release"] == 2
    assert shell.json("index", "Served")["release"] == 2  # whole again, so nothing is copied


def test_a_backup_restores_to_an_empty_home_and_answers(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(Settings(home=shell.home)):
        build_served(tmp_path, name="Served")
    made = shell.json("backup", str(tmp_path / "copy"))
    assert made["artefacts"] == 2
    assert "not empty" in shell.refusal("restore", str(tmp_path / "copy"), code=2)
    monkeypatch.setenv("ERRATA_HOME", str(tmp_path / "new"))
    assert shell.json("restore", str(tmp_path / "copy"))["check"] == "ok"
    assert shell.json("ask", "Served", "Are dogs allowed?")["release"] == 1


def test_a_known_failure_of_a_job_is_one_sentence(
    shell: Shell, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "text.txt").write_text("Kavo Bistro opens at nine.")
    shell.json("project", "create", "Food", "--base", "nobody/nothing", "--embedder", "hash")
    shell.json("import", "Food", str(tmp_path / "text.txt"))
    assert "cannot be downloaded" in shell.refusal("index", "Food", code=1)
    assert caplog.records == []  # Python prints a record of this level, traceback and all, where no log is kept


def test_an_export_never_replaces_what_is_no_file(shell: Shell, tmp_path: Path) -> None:
    shell.json("project", "create", "Food")
    assert "not a file" in shell.refusal("export", "Food", "--output", str(tmp_path), code=2)


def test_a_truncated_release_is_not_promoted(shell: Shell, tmp_path: Path) -> None:
    with opened(Settings(home=shell.home)):
        candidate = add_candidate(build_served(tmp_path, name="Served"))
        weights = absolute(candidate.answerer_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    shell.capsys.readouterr()  # what building the model said
    assert "not whole" in shell.refusal("promote", "Served", code=1)


def test_every_byte_is_checked_before_a_person_puts_a_release_in_service(shell: Shell, tmp_path: Path) -> None:
    with opened(Settings(home=shell.home)):
        project = build_served(tmp_path, name="Served")
        candidate = add_candidate(project)
        flip_bit(absolute(candidate.answerer_path), ".safetensors")
    shell.capsys.readouterr()
    assert "errata restore" in shell.refusal("promote", "Served", code=1)
    with opened(Settings(home=shell.home)):
        found = champion_of(project_by_name("Served"))
        assert found is not None
        assert found.number == 1
        whole = add_candidate(project_by_name("Served"), number=3)
        assert whole.index is not None
        flip_bit(absolute(whole.index.path), ".npy")
    assert 'errata index "Served"' in shell.refusal("promote", "Served", "3", code=1)
    assert shell.json("index", "Served")["release"] == 4
    assert shell.json("promote", "Served", "3") == {"champion": 5, "previous": 4}  # with the index of today
    assert shell.json("ask", "Served", "Are dogs allowed?")["release"] == 5


def test_an_import_names_the_gold_answers_that_are_not_in_their_context(shell: Shell, tmp_path: Path) -> None:
    shell.json("project", "create", "Food")
    row = {"question": "Who cooks?", "context": "Kavo opens at nine.", "answers": ["Ada"]}
    path = tmp_path / "gold.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    code, out, _ = shell.run("import", "Food", str(path), "--kind", "gold")
    assert code == 0
    assert "1 of those added look wrong:\n  line 1: The answer 'Ada' is not in the row's context" in out
    row["question"] = "Who sings?"
    path.write_text(json.dumps(row), encoding="utf-8")
    assert [one["line"] for one in shell.json("import", "Food", str(path), "--kind", "gold")["warnings"]] == [1]


def test_a_refused_import_names_the_missing_columns_alone_and_takes_them(shell: Shell, tmp_path: Path) -> None:
    shell.json("project", "create", "Food")
    path = tmp_path / "gold.csv"
    path.write_text("question,antwort,context\nWho cooks?,Ada,Ada cooks.\n", encoding="utf-8")
    told = shell.refusal("import", "Food", str(path), "--kind", "gold", code=2)
    assert (
        "No column is named like answers; say which one holds it, on the command line by --map answers=antwort" in told
    )
    told = shell.refusal("import", "Food", str(path), "--kind", "labels", code=2)
    assert "No column is named like verdict or person; say which one holds each" in told
    assert "--map verdict=COLUMN --map person=COLUMN (the file has: question, antwort, context)" in told
    told = shell.refusal("import", "Food", str(path), "--kind", "gold", "--map", "title=antwort", code=2)
    assert "No column is named like answers" in told
    done = shell.json("import", "Food", str(path), "--kind", "gold", "--map", "answers=antwort")
    assert (done["added"], done["warnings"]) == (1, [])
    with opened(Settings(home=shell.home)):
        (question,) = db.session.scalars(select(Question))
        assert question.text == "Who cooks?"
        assert question.gold is not None
        assert question.gold["answers"] == [{"text": "Ada", "start": None}]
        assert question.gold["context"] == "Ada cooks."


def test_documents_without_a_column_named_like_a_text_are_refused_with_the_option_that_takes_them(
    shell: Shell, tmp_path: Path
) -> None:
    shell.json("project", "create", "Food")
    path = tmp_path / "pages.jsonl"
    path.write_text(json.dumps({"title": "Kavo", "inhalt": "Kavo opens at nine."}), encoding="utf-8")
    told = shell.refusal("import", "Food", str(path), code=2)
    assert "No column is named like text; say which one holds it, on the command line by --map text=inhalt" in told
    assert "(the file has: title, inhalt)" in told
    assert shell.json("import", "Food", str(path), "--map", "text=inhalt")["added"] == 1
    path.write_text("not JSON\n", encoding="utf-8")
    assert "no row that can be read; line 1: " in shell.refusal("import", "Food", str(path), code=2)


def test_a_home_with_imported_labels_can_be_backed_up(shell: Shell, tmp_path: Path) -> None:
    """The release that their answers belong to has no model of its own."""
    row = {"question": "When?", "verdict": "correct", "text": "nine", "person": "Ben", "shown_answer": "ten"}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row))
    shell.json("project", "create", "Food")
    assert shell.json("import", "Food", str(tmp_path / "labels.jsonl"), "--kind", "labels")["added"] == 1
    assert shell.json("backup", str(tmp_path / "copy"))["artefacts"] == 0


def test_a_backup_brings_back_the_settings_and_curves_of_iterations(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webapp.models import Iteration, Job

    path = "projects/1/iterations/1"
    shell.json("project", "create", "Food")
    with opened(Settings(home=shell.home)), write() as session:
        session.add(Job(id=1, project_id=1, kind="train", state="succeeded"))
        session.flush()
        session.add(Iteration(project_id=1, number=1, job_id=1, base="starter", path=path))
    (shell.home / path / "checkpoints").mkdir(parents=True)
    for name in ("config.json", "log.jsonl", "checkpoints/large.safetensors"):
        (shell.home / path / name).write_text(name)
    shell.json("backup", str(tmp_path / "copy"))
    monkeypatch.setenv("ERRATA_HOME", str(tmp_path / "new"))
    shell.json("restore", str(tmp_path / "copy"))
    restored = tmp_path / "new" / path
    assert (restored / "log.jsonl").read_text() == "log.jsonl"
    assert (restored / "config.json").read_text() == "config.json"
    assert not (restored / "checkpoints").exists()


def test_a_damaged_backup_is_refused(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.json("project", "create", "Food")
    shell.json("backup", str(tmp_path / "copy"))
    assert "exists already" in shell.refusal("backup", str(tmp_path / "copy"), code=2)
    flip_bit(tmp_path / "copy", ".sqlite3")
    monkeypatch.setenv("ERRATA_HOME", str(tmp_path / "new"))
    assert "damaged" in shell.refusal("restore", str(tmp_path / "copy"), code=1)
    assert not (tmp_path / "new" / "errata.sqlite3").exists()


def test_a_backup_is_taken_while_somebody_writes(shell: Shell, tmp_path: Path) -> None:
    import sqlite3

    from webapp.models import Person
    from webapp.processes.backup import create_backup

    with opened(Settings(home=shell.home)):
        with write() as session:
            session.add(Person(name="Committed"))
        with sqlite3.connect(shell.home / "errata.sqlite3") as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE person SET name = 'Not yet'")
            create_backup(shell.home, tmp_path / "copy")
            other.rollback()
    with sqlite3.connect(tmp_path / "copy" / "errata.sqlite3") as copy:
        assert copy.execute("SELECT name FROM person").fetchall() == [("Committed",)]


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    code = "import sys; from webapp.cli import group; group.main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert time.monotonic() - began < 20
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout
    loaded = done.stdout.rpartition("[")[2]
    for heavy in ("torch", "flask", "sqlalchemy", "numpy"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(shell: Shell, name: str) -> None:
    code, out, _ = shell.run(name, "--help")
    assert code == 0
    assert "Usage" in out
