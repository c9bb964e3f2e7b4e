"""How the database is opened and written: one durable file, every write transaction IMMEDIATE and short."""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import ORMExecuteState, Session

from webapp.errors import Busy, DiskFailed, DiskFull
from webapp.models import db

# One writer at a time inside this process: SQLite's own busy wait is unfair when many threads wait at once.
_writer_lock = threading.Lock()
# And one process after the other: SQLite looks again after 1, 2, 5, 10 and up to 100 ms, in which several short writes would fit.
LOOK_AGAIN_S = 0.0005
WAIT_AT_MOST_S = 15.0

DISK_FULL = "The disk is full, so nothing was saved; free some space and try again."
DISK_FAILED = (
    "The disk could not be read or written, though it is not full, so nothing was saved; look at it (`dmesg`, its cable or "
    "mount) and run `errata doctor` before you go on."
)
# With less room than this an I/O error is the lack of it: SQLite calls some of those "disk I/O error" too.
LEAST_ROOM = 1024 * 1024

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=15000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
    # SQLite before 3.51.3 can corrupt a WAL that two connections checkpoint at once: only webapp.checkpoint ever does.
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA journal_size_limit=67108864",
)


def prepare(engine: Engine) -> None:
    """Install the pragmas and the BEGIN rule on a SQLite engine; PostgreSQL needs neither."""
    if engine.dialect.name != "sqlite":
        return
    if engine.url.database:
        # Created before SQLite does, so that nobody else on the machine can read it.
        os.close(os.open(engine.url.database, os.O_CREAT | os.O_RDWR, 0o600))

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we write BEGIN ourselves
        for pragma in PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        immediate = connection.get_execution_options().get("immediate") or db.session.info.get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextlib.contextmanager
def writers_turn(database: str | Path | None) -> Iterator[None]:
    """Held while writing to the SQLite file, None for another database. It only keeps order: what guards the file is SQLite's own
    lock, so after the longest wait (a stopped process may hold the turn) the writer goes on and is told there what is the matter."""
    with _writer_lock:
        if database is None:
            yield
            return
        file = os.open(f"{database}-turn", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            _take(file)
            yield
        finally:
            os.close(file)  # which ends the turn; so does the end of the process, however it ends


def _take(file: int) -> None:
    deadline = time.monotonic() + WAIT_AT_MOST_S
    while time.monotonic() < deadline:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_AGAIN_S)
        else:
            return


def _sqlite_file() -> str | None:
    url = db.engine.url
    return url.database if url.get_backend_name() == "sqlite" and url.database != ":memory:" else None


@contextlib.contextmanager
def write() -> Iterator[Session]:
    """A write transaction: ends any read one first, begins IMMEDIATE, commits at the end, rolls back on any error.

    Keep it short; no model and no network call inside. Objects read before are read again at their next use, so that a
    decision is never taken on what was true before the lock.
    """
    session = db.session()
    if session.info.get("writing"):
        raise RuntimeError("write() does not nest: pass the session down instead.")
    session.rollback()
    session.expire_all()
    with writers_turn(_sqlite_file()):
        session.info["writing"] = True
        try:
            yield session
            session.commit()
        except OperationalError as error:
            session.rollback()
            raise _in_words(error, db.engine.url.database) from error
        except BaseException:
            session.rollback()
            raise
        finally:
            session.info["writing"] = False


def copy_database(source: Path, target: Path) -> None:
    """The SQLite database as it is now, compact, in a new file; others may go on writing."""
    with contextlib.closing(sqlite3.connect(source, isolation_level=None, timeout=15)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("VACUUM INTO ?", (str(target),))


def _in_words(error: OperationalError, database: str | None) -> Exception:
    cause = str(error.orig).lower()
    if "full" in cause or "no space" in cause:
        return DiskFull(DISK_FULL)
    if "disk i/o" in cause:
        return DiskFull(DISK_FULL) if _has_no_room(database) else DiskFailed(DISK_FAILED)
    if "locked" in cause or "busy" in cause:
        return Busy("The database is busy, so nothing was saved; try again in a moment.")
    return error


def _has_no_room(database: str | None) -> bool:
    try:
        return bool(database) and shutil.disk_usage(Path(str(database)).parent).free < LEAST_ROOM
    except OSError:
        return False


def _refuse_unannounced_write(session: Session, *_: Any) -> None:
    if (session.new or session.dirty or session.deleted) and not session.info.get("writing"):
        raise RuntimeError("A row was changed outside webapp.db.write().")


def _refuse_unannounced_statement(state: ORMExecuteState) -> None:
    if (state.is_insert or state.is_update or state.is_delete) and not state.session.info.get("writing"):
        raise RuntimeError("A statement changed rows outside webapp.db.write().")


event.listen(Session, "before_flush", _refuse_unannounced_write)
event.listen(Session, "do_orm_execute", _refuse_unannounced_statement)
