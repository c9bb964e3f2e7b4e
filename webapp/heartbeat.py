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
from webapp.settings import Settings, web_processes

BEAT_EVERY_S = 5.0


def web_names(settings: Settings) -> list[str]:
    """``web``, or of several ``web-1``, ``web-2`` and so on: each has its row."""
    count = web_processes(settings)
    return [f"web-{number}" for number in range(1, count + 1)] if count > 1 else ["web"]


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


def forget_former(app: Flask) -> None:
    """Rows of web processes that an earlier start had and this one has not."""
    with app.app_context(), write() as session:
        former = Process.name.startswith("web") & Process.name.not_in(web_names(app.config["ERRATA"]))
        session.execute(delete(Process).where(former).execution_options(synchronize_session=False))
