"""``errata doctor``: one check after another, each with what was found and what to do."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sqlalchemy import select, text

from webapp.health import processes
from webapp.home import home
from webapp.migrate import current_revision
from webapp.models import Project, Release, db
from webapp.releases.mending import find_damage

PACKAGES = ("torch", "transformers", "sentence-transformers", "faiss-cpu", "bm25s", "Flask", "SQLAlchemy")
FIXED_SQLITE = (3, 51, 3)
LEAST_FREE = 1024**3


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str
    mend: str = ""


def check_python() -> Iterator[Check]:
    found = ".".join(str(part) for part in sys.version_info[:3])
    yield Check("python", sys.version_info >= (3, 11), f"Python {found}", "Install Python 3.11 or newer.")


def check_packages() -> Iterator[Check]:
    for name in PACKAGES:
        try:
            yield Check(f"package {name}", True, version(name))
        except PackageNotFoundError:
            yield Check(f"package {name}", False, "not installed", "Run `make demo` or `pip install -e .` again.")


def check_home() -> Iterator[Check]:
    folder = home()
    writable = os.access(folder, os.W_OK | os.X_OK)
    yield Check(
        "home",
        writable,
        f"{folder} {'can' if writable else 'cannot'} be written",
        f"Make {folder} yours: chown -R $USER {folder}",
    )
    open_to_others = [
        path.name
        for path in (folder / "secret.key", folder / "engine.key")
        if path.exists() and path.stat().st_mode & 0o077
    ]
    detail = f"{', '.join(open_to_others)} can be read by others" if open_to_others else "keys are readable by you only"
    yield Check("keys", not open_to_others, detail, f"chmod 600 {folder}/*.key")


def check_disk() -> Iterator[Check]:
    usage = shutil.disk_usage(home())
    ok = usage.free >= LEAST_FREE and usage.free >= usage.total * 0.05
    yield Check(
        "disk",
        ok,
        f"{usage.free / 1024**3:.1f} GB free of {usage.total / 1024**3:.0f} GB",
        "Free some space: old releases and exports lie in projects/.",
    )


def check_database() -> Iterator[Check]:
    yield Check(
        "schema",
        current_revision() is not None,
        f"schema {current_revision()}",
        "Start `errata serve` once: it upgrades the database.",
    )
    if db.engine.dialect.name != "sqlite":
        yield Check("database", db.session.scalar(text("SELECT 1")) == 1, db.engine.dialect.name)
        return
    fixed = sqlite3.sqlite_version_info >= FIXED_SQLITE
    guard = (
        "has the WAL-reset fix"
        if fixed
        else "lacks the WAL-reset fix (3.51.3): guarded, only one connection checkpoints"
    )
    automatic = db.session.scalar(text("PRAGMA wal_autocheckpoint"))
    durable = (
        db.session.scalar(text("PRAGMA synchronous")) == 2 and db.session.scalar(text("PRAGMA journal_mode")) == "wal"
    )
    yield Check(
        "sqlite",
        fixed or automatic == 0,
        f"SQLite {sqlite3.sqlite_version} {guard}",
        "Update SQLite to 3.51.3 or newer.",
    )
    yield Check(
        "durability",
        durable,
        "write-ahead log, synchronous=FULL" if durable else "not WAL with synchronous=FULL",
        "Move ERRATA_HOME to a local disk.",
    )
    found = str(db.session.scalar(text("PRAGMA quick_check(1)")))
    broken = db.session.execute(text("PRAGMA foreign_key_check")).first()
    yield Check(
        "database",
        found == "ok" and broken is None,
        f"quick_check {found}; foreign keys {'whole' if broken is None else 'broken'}",
        "Restore the newest backup: `errata restore`.",
    )


def check_releases() -> Iterator[Check]:
    champions = select(Release).join(Project, Project.champion_id == Release.id).where(Project.deleted_at.is_(None))
    for release in list(db.session.scalars(champions)):
        name = db.session.get_one(Project, release.project_id).name
        found = find_damage(release, release.index)
        detail = found.sentence if found is not None else "every file has its recorded sha256"
        mend = (found.mend if found is not None else "") or f'errata rollback "{name}"'
        yield Check(f"release of {name}", found is None, f"release {release.number}: {detail}", mend)
        yield from _check_embedder(release)


def _check_embedder(release: Release) -> Iterator[Check]:
    index = release.index
    if index is None:
        return
    project = db.session.get_one(Project, release.project_id)
    same = index.embedder == release.embedder and Path(home(), index.path).is_dir()
    detail = (
        f"index and release both use {index.embedder}"
        if same
        else f"the index uses {index.embedder}, the release {release.embedder}"
    )
    yield Check(f"embedder of {project.name}", same, detail, f'errata index "{project.name}"')


def check_processes() -> Iterator[Check]:
    for one in processes():
        yield Check(
            f"process {one.name}",
            one.alive and not one.sentence,
            one.sentence or f"alive, process {one.pid} {one.url}".strip(),
            one.mend,
        )


CHECKS: tuple[Callable[[], Iterator[Check]], ...] = (
    check_python,
    check_packages,
    check_home,
    check_disk,
    check_database,
    check_releases,
    check_processes,
)


def examine() -> list[Check]:
    """Every check; one that itself fails is a failed check, so that the others are still made."""
    results: list[Check] = []
    for check in CHECKS:
        try:
            results.extend(check())
        except Exception as error:  # a broken home must not break the doctor
            db.session.rollback()
            sentence = str(error).splitlines()[0] if str(error) else type(error).__name__
            results.append(
                Check(check.__name__.removeprefix("check_"), False, sentence, "See log/, or restore the newest backup.")
            )
    return [Check(one.name, one.ok, one.detail, "" if one.ok else one.mend) for one in results]
