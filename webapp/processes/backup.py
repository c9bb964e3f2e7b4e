"""Back up a home while it is in use, restore it into an empty one; both through the artefact promise."""

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import select, text

from training.artefact import manifest_sha256, read_manifest, verify, writing
from webapp.db import copy_database
from webapp.errors import Damaged, Invalid
from webapp.migrate import current_revision
from webapp.models import CorpusIndex, Dataset, Iteration, Release, db

KIND = "backup"
DATABASE = "errata.sqlite3"
RECORDS = ("config.json", "log.jsonl")


def create_backup(home: Path, target: Path) -> dict[str, Any]:
    """A copy of the database as it is now, of every artefact its rows point at and of what iterations wrote down, hashed. Labelling
    goes on meanwhile."""
    if db.engine.dialect.name != "sqlite":
        raise Invalid("With PostgreSQL, back up the database with pg_dump and copy the projects folder beside it.")
    if target.exists():
        raise Invalid(f"{target} exists already; name a new folder for the backup.")
    about = {"schema": current_revision()}
    with writing(target, kind=KIND, about=about) as folder:
        copy_database(home / DATABASE, folder / DATABASE)
        paths = _paths(folder / DATABASE, Release.answerer_path, Release.retriever_path, CorpusIndex.path, Dataset.path)
        for path in paths:
            _copy_artefact(home / path, folder / path)
        for path in _paths(folder / DATABASE, Iteration.path):
            _copy_records(home / path, folder / path)
    manifest = read_manifest(target)
    size = sum(facts["size"] for facts in manifest["files"].values())
    return {
        "path": str(target),
        "files": len(manifest["files"]),
        "bytes": size,
        "artefacts": len(paths),
        "sha256": manifest_sha256(target),
    }


def _paths(database: Path, *columns: Any) -> list[str]:
    """What the copied database points at, so that rows and files are of one moment."""
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        paths = {path for column in columns for path in connection.scalars(select(column))}
    engine.dispose()
    return sorted(path for path in paths if path and not Path(path).is_absolute())  # imported labels name no model


def _copy_artefact(source: Path, target: Path) -> None:
    if not source.is_dir():
        return  # an old release whose files were cleared away; its row still tells what it was
    verify(source)
    shutil.copytree(source, target)


def _copy_records(source: Path, target: Path) -> None:
    """An iteration's settings and curves; its checkpoints are of use only while it runs."""
    for name in RECORDS:
        if (source / name).is_file():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)


def restore_backup(source: Path, home: Path) -> dict[str, Any]:
    """Fill an empty ``home`` from a verified backup. Raises :class:`Invalid` when there is something in it already."""
    if not source.is_dir():
        raise Invalid(f"{source} is not a backup folder; `errata backup` makes one.")
    if (home / DATABASE).exists() or any((home / "projects").glob("*")):
        raise Invalid(f"{home} is not empty; set ERRATA_HOME to a new folder and restore there.")
    verify(source, kind=KIND)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for leftover in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (home / leftover).unlink(missing_ok=True)
    if (source / "projects").is_dir():
        shutil.copytree(source / "projects", home / "projects", dirs_exist_ok=True)
    shutil.copyfile(source / DATABASE, home / DATABASE)  # last: a home without it is an empty one
    (home / DATABASE).chmod(0o600)
    return {"home": str(home), "files": len(read_manifest(source)["files"]), "check": _check(home / DATABASE)}


def _check(database: Path) -> str:
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        found = str(connection.scalar(text("PRAGMA integrity_check")))
    engine.dispose()
    if found != "ok":
        raise Damaged(f"The restored database is damaged ({found}); try an older backup.")
    return found
