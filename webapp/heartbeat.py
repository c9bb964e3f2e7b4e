"""Each process says every few seconds that it lives; the health line and ``errata doctor`` read it."""

import os
import threading
from collections.abc import Callable

from flask import Flask
from sqlalchemy import delete
from sqlalchemy.orm import Session

from webapp.db import write
from webapp.errors import ErrataError
from webapp.models import Process, now

BEAT_EVERY_S = 5.0


def beat(session: Session, name: str, *, url: str = "", state: str = "") -> None:
    session.merge(Process(name=name, pid=os.getpid(), url=url, state=state, heartbeat_at=now()))


def start_beating(
    app: Flask,
    name: str,
    *,
    stop: threading.Event,
    url: str = "",
    state: Callable[[], str] = str,
    also: Callable[[Session], None] | None = None,
) -> None:
    """Beat in a daemon thread until ``stop`` is set; ``also`` may write in the same transaction."""

    def loop() -> None:
        while True:
            try:
                with app.app_context(), write() as session:
                    beat(session, name, url=url, state=state())
                    if also is not None:
                        also(session)
            except ErrataError as error:  # a full or busy disk: the next beat tries again
                app.logger.warning("%s could not write its heartbeat: %s", name, error)
            if stop.wait(BEAT_EVERY_S):
                return

    threading.Thread(target=loop, name=f"{name}-heartbeat", daemon=True).start()


def forget(app: Flask, name: str) -> None:
    """A process that ends well removes its own row, so that nobody waits for it to grow stale."""
    with app.app_context(), write() as session:
        session.execute(delete(Process).where(Process.name == name, Process.pid == os.getpid()))
