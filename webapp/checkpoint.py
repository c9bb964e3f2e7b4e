"""The one place that moves SQLite's write-ahead log into the database file.

SQLite before 3.51.3 can corrupt the log when two connections write or checkpoint at the same instant while it is reset.
So no connection checkpoints by itself (``wal_autocheckpoint=0``), and one thread of one process, the holder of a lock
file, does it with TRUNCATE, which holds the write lock: nobody writes meanwhile. The last connection to close does it
too, and is alone by definition.
"""

import fcntl
import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import IO

from webapp.db import writers_turn

CHECK_EVERY_S = 1.0
LARGE = 4 * 1024 * 1024
AT_LEAST_EVERY_S = 60.0

log = logging.getLogger("errata.checkpoint")


def take_lock(path: Path) -> IO[str] | None:
    """The open lock file, held until it is closed; None when another process has it."""
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def checkpoint(database: Path, *, busy_ms: int = 2000) -> bool:
    """Empty the log; False when a long reader was in the way (the next round tries again)."""
    with writers_turn(database):
        connection = sqlite3.connect(database, isolation_level=None, timeout=busy_ms / 1000)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
        except sqlite3.OperationalError as error:
            log.warning("The write-ahead log could not be moved into the database: %s", error)
            return False
        finally:
            connection.close()


def _is_due(wal: Path, last: float) -> bool:
    try:
        size = wal.stat().st_size
    except FileNotFoundError:
        return False
    return size > LARGE or (size > 0 and time.monotonic() - last > AT_LEAST_EVERY_S)


def start_checkpointer(database: Path, lock: Path, *, stop: threading.Event) -> None:
    """Checkpoint in a daemon thread until ``stop`` is set, whenever this process holds the lock."""
    wal = database.with_name(database.name + "-wal")

    def loop() -> None:
        held: IO[str] | None = None
        last = time.monotonic()
        while not stop.wait(CHECK_EVERY_S):
            held = held or take_lock(lock)
            if held is not None and _is_due(wal, last):
                checkpoint(database)
                last = time.monotonic()
        if held is not None:
            held.close()

    threading.Thread(target=loop, name="checkpointer", daemon=True).start()
