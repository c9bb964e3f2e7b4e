"""Folders that are whole or absent: written beside their place, hashed, fsynced, renamed; checked before they are read.

An artefact is a folder of files with a ``manifest.json`` naming each file's sha256 and size, its kind and its parents.
"""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


class DamagedArtefact(Exception):
    """A file is missing, extra, truncated or altered; the message names the folder, the file and what to do."""


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)


def seal(folder: Path, *, kind: str, parents: dict[str, str] | None = None, about: dict[str, Any] | None = None) -> str:
    """Write ``manifest.json`` for the files in ``folder`` and fsync everything. Returns the manifest's own sha256."""
    files = {}
    for path in _files(folder):
        _fsync(path)
        files[path.relative_to(folder).as_posix()] = {"sha256": sha256_file(path), "size": path.stat().st_size}
    manifest = {"kind": kind, "files": files, "parents": parents or {}, "about": about or {}}
    text = json.dumps(manifest, indent=1, sort_keys=True)
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    for inner in {path.parent for path in _files(folder)} | {folder}:
        _fsync(inner)
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def writing(
    folder: Path, *, kind: str, parents: dict[str, str] | None = None, about: dict[str, Any] | None = None
) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``; on success seal it and rename it into place, on any error remove it."""
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; an artefact is never overwritten.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f"tmp-{uuid.uuid4().hex}"
    temporary.mkdir()
    try:
        yield temporary
        seal(temporary, kind=kind, parents=parents, about=about)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _fsync(folder.parent)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of ``folder``; raises :class:`DamagedArtefact` when it is missing or not JSON."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedArtefact(
            f"{folder} has no readable {MANIFEST}; restore it from a backup or build it again."
        ) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise DamagedArtefact(
            f"{folder}/{MANIFEST} is not an artefact manifest; restore it from a backup or build it again."
        )
    return manifest


def verify(folder: Path, *, kind: str | None = None) -> dict[str, Any]:
    """Check every file of ``folder`` against its manifest before anything is read from it; returns the manifest.

    Raises :class:`DamagedArtefact` on a missing, additional, truncated or altered file, or another ``kind``.
    """
    manifest = read_manifest(folder)
    if kind is not None and manifest.get("kind") != kind:
        raise DamagedArtefact(f"{folder} is a {manifest.get('kind')!r} artefact where a {kind!r} was expected.")
    present = {path.relative_to(folder).as_posix() for path in _files(folder)}
    listed = set(manifest["files"])
    if present != listed:
        odd = sorted(present ^ listed)[0]
        raise DamagedArtefact(
            f"{folder}: {odd} is {'missing' if odd in listed else 'not listed'}; restore it or build it again."
        )
    for name, facts in manifest["files"].items():
        path = folder / name
        if path.stat().st_size != facts["size"] or sha256_file(path) != facts["sha256"]:
            raise DamagedArtefact(
                f"{path} is damaged (its sha256 is not the recorded one); restore it or build it again."
            )
    return manifest


def manifest_sha256(folder: Path) -> str:
    """The artefact's identity: the sha256 of its manifest."""
    return sha256_file(folder / MANIFEST)
