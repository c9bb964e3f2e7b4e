"""Which process is alive, and in words what to do about one that is not."""

import datetime as dt
import time
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import select

from webapp.models import Process, db, now

STALE_AFTER = dt.timedelta(seconds=15)
CACHE_S = 1.0
MENDS = {
    "web": "errata serve",
    "engine": "errata engine",
    "worker": "errata worker",
}
WITHOUT = {
    "web": "pages cannot be opened",
    "engine": "typed questions get no answer; labelling goes on",
    "worker": "imports, answers ahead of time and training wait; labelling goes on",
}


@dataclass(frozen=True)
class ProcessHealth:
    name: str
    alive: bool
    pid: int | None
    url: str
    state: str  # what the process says about itself, such as a refused release
    sentence: str  # "" when all is well
    mend: str  # the command that mends it; "" when all is well


def is_alive(name: str) -> bool:
    """``name``: engine or worker."""
    heartbeat_at = db.session.scalar(select(Process.heartbeat_at).where(Process.name == name))
    return heartbeat_at is not None and heartbeat_at > now() - STALE_AFTER


def web_url() -> str:
    """Where the pages were served last, "" when they never were: all web processes share one address."""
    newest = select(Process.url).where(Process.name.startswith("web")).order_by(Process.heartbeat_at.desc())
    return db.session.scalar(newest.limit(1)) or ""


def processes() -> list[ProcessHealth]:
    rows = {row.name: row for row in db.session.scalars(select(Process).execution_options(populate_existing=True))}
    elsewhere = {"engine"} if current_app.config["ERRATA"].engine_url else set()  # asked by address, not watched here
    alone = [_health(name, rows.get(name)) for name in MENDS if name not in {"web"} | elsewhere]
    return [*_webs(rows), *alone]


def _webs(rows: dict[str, Process]) -> list[ProcessHealth]:
    """Each web process, while one of them lives; else the one sentence that the pages cannot be opened."""
    webs = [row for name, row in sorted(rows.items()) if name.startswith("web")]
    alive = [row for row in webs if _is_fresh(row)]
    if not alive:
        return [_health("web", webs[0] if webs else None)]
    left = f"{len(alive)} of {len(webs)} serve the pages; log/web.log says why."
    return [
        ProcessHealth(row.name, row in alive, row.pid, row.url, "", "" if row in alive else f"The {row.name} is not running: {left}", "")
        for row in webs
    ]  # fmt: skip


def _is_fresh(row: Process | None) -> bool:
    return row is not None and row.heartbeat_at > now() - STALE_AFTER


def _health(name: str, row: Process | None) -> ProcessHealth:
    alive = _is_fresh(row)
    state = row.state if row is not None and alive else ""
    sentence = f"The {name} is not running: {WITHOUT[name]}." if not alive else state
    return ProcessHealth(
        name, alive, row.pid if row else None, row.url if row else "", state, sentence, "" if alive else MENDS[name]
    )


def health_line() -> list[ProcessHealth]:
    """What every page says: the processes with a problem, [] when all is well. Read at most once a second."""
    cache: dict[str, tuple[float, list[ProcessHealth]]] = current_app.extensions.setdefault("errata_health", {})
    read_at, troubled = cache.get("line", (0.0, []))
    if not read_at or time.monotonic() - read_at > CACHE_S:
        troubled = [one for one in processes() if one.sentence and one.name != "web"]
        cache["line"] = (time.monotonic(), troubled)
    return troubled
