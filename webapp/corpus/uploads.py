"""Uploaded files between the form and the import: each in a folder of its own that is never named by the browser."""

import errno
import json
import re
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path, PureWindowsPath

from werkzeug.datastructures import FileStorage

from webapp.corpus.importing import Source, open_source
from webapp.errors import DiskFull, Invalid, NotFound
from webapp.home import home, new_upload_path
from webapp.models import Project

FILE = "file"
ABOUT = "about.json"
KEPT_S = 3 * 24 * 3600


@dataclass(frozen=True)
class Upload:
    """``name`` is what the browser called the file: shown and read for its ending, never used as a path."""

    id: str
    project_id: int
    kind: str
    name: str

    @property
    def folder(self) -> Path:
        return home() / "uploads" / self.id

    def source(self, *, columns: dict[str, str] | None = None) -> Source:
        return open_source(self.folder / FILE, kind=self.kind, columns=columns, name=self.name)


def _shown_name(name: str) -> str:
    # A browser may send a path of either kind; only its last part means anything here.
    last = PureWindowsPath(name.replace("/", "\\")).name
    return "".join(letter for letter in last if letter.isprintable())[-200:]


def save(project: Project, kind: str, file: FileStorage | None) -> Upload:
    """Keep an uploaded file for its import; removes what is left of forgotten ones."""
    if file is None or not file.filename:
        raise Invalid("No file was chosen; choose one and send the form again.", {"file": "Choose a file."})
    _forget_old()
    folder = new_upload_path()
    upload = Upload(folder.name, project.id, kind, _shown_name(file.filename) or "file")
    try:
        folder.mkdir(mode=0o700)
        file.save(folder / FILE)
        (folder / ABOUT).write_text(json.dumps(asdict(upload)), encoding="utf-8")
        upload.source()
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if error.errno == errno.ENOSPC:
            raise DiskFull(
                "The disk is full, so the upload was not kept; free some space and send it again."
            ) from error
        raise
    except Invalid:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return upload


def _forget_old() -> None:
    for folder in (home() / "uploads").iterdir():
        if folder.is_dir() and folder.stat().st_mtime < time.time() - KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def upload_or_404(project_id: int | None, upload_id: str) -> Upload:
    folder = home() / "uploads" / upload_id
    if re.fullmatch(r"[0-9a-f]{32}", upload_id) and (folder / ABOUT).is_file():
        upload = Upload(**json.loads((folder / ABOUT).read_text(encoding="utf-8")))
        if upload.project_id == project_id:
            return upload
    raise NotFound(
        "This upload is no longer here (it was imported, or it is older than three days); upload the file again."
    )


def discard(upload: Upload) -> None:
    shutil.rmtree(upload.folder, ignore_errors=True)
