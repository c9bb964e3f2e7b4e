"""Where things lie under ``ERRATA_HOME``. Rows hold paths relative to it, so that the folder can be moved."""

import os
import secrets
import uuid
from pathlib import Path

from flask import current_app

from webapp.errors import Damaged
from webapp.settings import Settings

FOLDERS = ("run", "log", "uploads", "projects", "backups")
ARTEFACT_FOLDERS = {"index": "indexes", "answerer": "answerers", "dataset": "datasets", "retriever": "retrievers"}


def settings() -> Settings:
    found: Settings = current_app.config["ERRATA"]
    return found


def home() -> Path:
    return settings().home


def make_home(folder: Path) -> None:
    """Create the folders, readable by their owner only."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True, mode=0o700)


def read_or_make_key(path: Path) -> str:
    """The key in ``path``; made once, by whichever process is first, readable by its owner only."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        key = secrets.token_hex(32)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


def engine_key() -> str:
    return read_or_make_key(home() / "engine.key")


def database_path() -> Path:
    return home() / "errata.sqlite3"


def model_cache() -> Path:
    return settings().model_cache or home() / "models"


def project_folder(project_id: int) -> Path:
    return home() / "projects" / str(project_id)


def new_artefact_path(project_id: int, kind: str) -> Path:
    """A place for a new artefact of this kind; nothing is created there yet."""
    return project_folder(project_id) / ARTEFACT_FOLDERS[kind] / uuid.uuid4().hex


def iteration_folder(project_id: int, number: int) -> Path:
    return project_folder(project_id) / "iterations" / str(number)


def export_folder(project_id: int) -> Path:
    folder = project_folder(project_id) / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def new_upload_path() -> Path:
    """A place for an upload; the name the browser sent is never used as a path."""
    return home() / "uploads" / uuid.uuid4().hex


def log_path(process: str) -> Path:
    return home() / "log" / f"{process}.log"


def relative(path: Path) -> str:
    return path.resolve().relative_to(home().resolve()).as_posix()


def absolute(path: str) -> Path:
    """The place of a stored relative path. A shipped model is stored as an absolute path and stays one."""
    place = (home() / path).resolve()
    if not Path(path).is_absolute() and not place.is_relative_to(home().resolve()):
        raise Damaged(f"The stored path {path!r} leaves {home()}; restore the database from a backup.")
    return place
