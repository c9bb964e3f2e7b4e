"""Exports as files: written beside their place and renamed whole, with the dropped labels in a side file."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.types import Report
from webapp.errors import Invalid
from webapp.label.export import Filters, count_labels, write_labels
from webapp.models import Project

REPORT_EVERY = 500


@dataclass(frozen=True)
class Exported:
    format: str
    rows: int
    dropped: list[dict[str, Any]]
    sha256: str


def export_to(path: Path, project: Project, format_name: str, *, filters: Filters, report: Report) -> Exported:
    """Write the export to ``path`` and, when labels were dropped, ``<path>.dropped.jsonl``. Never leaves half a file."""
    dropped: list[dict[str, Any]] = []
    chunks = write_labels(
        project,
        format_name,
        filters=filters,
        drop=lambda label, reason: dropped.append({"label": label, "reason": reason}),
    )
    total = count_labels(project.id, filters)
    sha256 = _write_whole(path, _watched(chunks, total, report))
    side = path.with_name(path.name + ".dropped.jsonl")
    side.unlink(missing_ok=True)
    if dropped:
        _write_whole(side, (json.dumps(row, ensure_ascii=False) + "\n" for row in dropped))
    rows = total - len(dropped)
    report(1.0, f"Wrote {rows} of {total}")
    return Exported(format_name, rows, dropped, sha256)


def _watched(chunks: Iterable[str], total: int, report: Report) -> Iterator[str]:
    for number, chunk in enumerate(chunks):
        if number % REPORT_EVERY == 0:
            report(min(number / max(total, 1), 1.0), f"Wrote {number} of {total}")
        yield chunk


def _write_whole(path: Path, chunks: Iterable[str]) -> str:
    """Beside its place, fsynced, renamed; returns the sha256. The folder must exist."""
    if not path.parent.is_dir():
        raise Invalid(f"There is no folder {path.parent}; make it first or choose another place.")
    if path.exists() and not path.is_file():
        raise Invalid(f"{path} is a folder or a device, not a file; name a file to write.")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as file:
            for chunk in chunks:
                data = chunk.encode()
                digest.update(data)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest()
