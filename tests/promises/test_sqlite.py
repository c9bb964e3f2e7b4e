"""The SQLite promise: WAL and FULL, IMMEDIATE writers that do not starve, one checkpointer, nothing written unannounced."""

import fcntl
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text, update

from webapp.checkpoint import checkpoint, take_lock
from webapp.db import write
from webapp.errors import DiskFailed, DiskFull
from webapp.models import Person, Project, db


def pragma(name: str) -> object:
    return db.session.scalar(text(f"PRAGMA {name}"))


def test_every_connection_is_durable(app: Flask) -> None:
    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2
    assert pragma("busy_timeout") == 15000
    assert pragma("foreign_keys") == 1
    assert pragma("trusted_schema") == 0
    assert pragma("mmap_size") == 0
    assert pragma("wal_autocheckpoint") == 0


def test_the_database_file_is_private(app: Flask, tmp_path: Path) -> None:
    from webapp import create_base
    from webapp.settings import Settings

    create_base(Settings(home=tmp_path / "other"))
    assert (tmp_path / "other" / "errata.sqlite3").stat().st_mode & 0o077 == 0


def test_a_write_begins_immediate_and_a_read_does_not(statements: list[str]) -> None:
    db.session.scalar(select(Person.id))
    with write() as session:
        session.scalar(select(Person.id))
    begun = [statement for statement in statements if statement.startswith("BEGIN")]
    assert begun == ["BEGIN", "BEGIN IMMEDIATE"]


def test_a_decision_in_a_write_sees_what_others_wrote_before_it(app: Flask, project: Project) -> None:
    assert project.champion_id is None
    other = sqlite3.connect(app.config["ERRATA"].home / "errata.sqlite3")
    other.execute("UPDATE project SET base = 'reader'")
    other.commit()
    other.close()
    with write() as session:
        assert session.get_one(Project, project.id).base == "reader"


def test_a_change_outside_a_write_is_refused(app: Flask) -> None:
    db.session.add(Person(name="Unannounced"))
    with pytest.raises(RuntimeError, match="outside"):
        db.session.commit()
    db.session.rollback()
    with pytest.raises(RuntimeError, match="outside"):
        db.session.execute(update(Person).values(name="x"))
    db.session.rollback()


def test_writes_do_not_nest(app: Flask) -> None:
    with write(), pytest.raises(RuntimeError, match="nest"), write():
        pass


def test_an_error_leaves_nothing_behind_and_the_next_write_works(app: Flask) -> None:
    with pytest.raises(ZeroDivisionError), write() as session:  # noqa: PT012
        session.add(Person(name="Half"))
        session.flush()
        raise ZeroDivisionError
    with write() as session:
        session.add(Person(name="Whole"))
    assert list(db.session.scalars(select(Person.name))) == ["Whole"]


WRITER = """
import sys
from pathlib import Path
from webapp import create_base
from webapp.db import write
from webapp.models import Person, Process
from webapp.settings import Settings
app = create_base(Settings(home=Path(sys.argv[1])))
with app.app_context():
    for number in range(40):
        with write() as session:
            row = session.get(Person, 1, populate_existing=True)  # read, then write: deadlocks when begun deferred
            row.name = str(int(row.name) + 1)
"""


def test_processes_and_threads_that_read_then_write_lose_no_update(app: Flask) -> None:
    with write() as session:
        session.add(Person(name="0"))

    def count() -> None:
        with app.app_context():
            for _ in range(40):
                with write() as session:
                    row = session.get_one(Person, 1, populate_existing=True)
                    row.name = str(int(row.name) + 1)

    command = [sys.executable, "-c", WRITER, str(app.config["ERRATA"].home)]
    processes = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(2)]
    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    db.session.rollback()
    assert db.session.scalar(select(Person.name)) == str(5 * 40)


def test_only_the_checkpointer_moves_the_log(app: Flask) -> None:
    database = app.config["ERRATA"].home / "errata.sqlite3"
    log = database.with_name("errata.sqlite3-wal")
    for number in range(300):
        with write() as session:
            session.add(Person(name=f"{number:0>20000}"))
    assert log.stat().st_size > 6_000_000  # by itself SQLite would begin it anew at about 4 MB
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Person)) == 300
    assert checkpoint(database)
    assert log.stat().st_size == 0
    assert db.session.scalar(select(func.count()).select_from(Person)) == 300


def test_a_writer_waits_for_its_turn_after_another_process(app: Flask) -> None:
    begun, written = threading.Event(), threading.Event()

    def add() -> None:
        with app.app_context():
            db.session.scalar(select(Person.id))  # connected: what comes now takes milliseconds
            begun.set()
            with write() as session:
                session.add(Person(name="After"))
        written.set()

    with (app.config["ERRATA"].home / "errata.sqlite3-turn").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        writer = threading.Thread(target=add)
        writer.start()
        assert begun.wait(60)
        assert not written.wait(0.5)
    writer.join(10)
    assert written.is_set()


def test_a_stopped_process_that_holds_the_turn_keeps_nobody_from_writing(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.db.WAIT_AT_MOST_S", 0.05)
    with (app.config["ERRATA"].home / "errata.sqlite3-turn").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with write() as session:
            session.add(Person(name="All the same"))
    assert db.session.scalar(select(func.count()).select_from(Person)) == 1


def test_one_process_at_a_time_is_the_checkpointer(tmp_path: Path) -> None:
    first = take_lock(tmp_path / "checkpoint.lock")
    assert first is not None
    assert take_lock(tmp_path / "checkpoint.lock") is None
    first.close()
    again = take_lock(tmp_path / "checkpoint.lock")
    assert again is not None
    again.close()


def test_a_full_disk_is_said_and_nothing_is_saved(app: Flask) -> None:
    pages = int(str(pragma("page_count")))
    db.session.rollback()

    def shrink(connection: object, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages + 2}")  # type: ignore[attr-defined]

    event.listen(db.engine, "checkout", shrink)
    with pytest.raises(DiskFull, match="nothing was saved"), write() as session:
        session.add_all(Person(name=f"{number:0>70}") for number in range(2000))
    event.remove(db.engine, "checkout", shrink)
    db.engine.dispose()
    assert db.session.scalar(select(func.count()).select_from(Person)) == 0
    with write() as session:
        session.add(Person(name="Room again"))


@pytest.fixture
def no_growth(app: Flask) -> Iterator[None]:
    """No file of this process may grow: SQLite's writes fail as they do on a broken disk, with room left on it."""
    with write() as session:
        session.add(Person(name="The first"))
    log = app.config["ERRATA"].home / "errata.sqlite3-wal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("free", "kind", "sentence"),
    [(None, DiskFailed, "not full, so nothing was saved"), (0, DiskFull, "disk is full, so nothing was saved")],
)
def test_a_broken_disk_is_not_called_a_full_one(
    app: Flask, no_growth: None, monkeypatch: pytest.MonkeyPatch, free: int | None, kind: type[Exception], sentence: str
) -> None:
    if free is not None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9, free))
    with pytest.raises(DiskFailed, match=sentence) as raised, write() as session:
        session.add_all(Person(name=f"{number:0>70}") for number in range(2000))
    assert type(raised.value) is kind
