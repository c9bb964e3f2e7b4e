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
from webapp.models import CorpusIndex, Dataset, Release, db

KIND = "backup"
DATABASE = "errata.sqlite3"


def create_backup(home: Path, target: Path) -> dict[str, Any]:
    """A copy of the database as it is now and of every artefact its rows point at, hashed. Labelling goes on meanwhile."""
    if db.engine.dialect.name != "sqlite":
        raise Invalid("With PostgreSQL, back up the database with pg_dump and copy the projects folder beside it.")
    if target.exists():
        raise Invalid(f"{target} exists already; name a new folder for the backup.")
    about = {"schema": current_revision()}
    with writing(target, kind=KIND, about=about) as folder:
        copy_database(home / DATABASE, folder / DATABASE)
        paths = _artefact_paths(folder / DATABASE)
        for path in paths:
            _copy_artefact(home / path, folder / path)
    manifest = read_manifest(target)
    size = sum(facts["size"] for facts in manifest["files"].values())
    return {
        "path": str(target),
        "files": len(manifest["files"]),
        "bytes": size,
        "artefacts": len(paths),
        "sha256": manifest_sha256(target),
    }


def _artefact_paths(database: Path) -> list[str]:
    """What the copied database points at, so that rows and files are of one moment."""
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        queries = (select(Release.answerer_path), select(CorpusIndex.path), select(Dataset.path))
        paths = {path for query in queries for path in connection.scalars(query)}
    engine.dispose()
    return sorted(path for path in paths if path and not Path(path).is_absolute())  # imported labels name no model


def _copy_artefact(source: Path, target: Path) -> None:
    if not source.is_dir():
        return  # an old release whose files were cleared away; its row still tells what it was
    verify(source)
    shutil.copytree(source, target)


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
