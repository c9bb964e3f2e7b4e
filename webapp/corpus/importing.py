"""A file into rows of a project, whatever the kind: read, check, store in short transactions, list what was refused."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from retriever.types import Columns, Rejected, Report, RetrieverError, Row
from webapp.corpus.sniffing import sniff_parquet
from webapp.db import write
from webapp.errors import Invalid, NotFound
from webapp.models import Project

# Kind of file -> module with FIELDS, REQUIRED, read and store. Labels belong to a later capability, named here only by text.
KINDS = {
    "documents": "webapp.corpus.documents",
    "questions": "webapp.corpus.questions",
    "gold": "webapp.corpus.gold",
    "labels": "webapp.label.importing",
    "feedback": "webapp.label.feedback",
}
BATCH_ROWS = 250  # a gold row also writes its context, so a transaction stays under 500 rows
MAPPED_FORMATS = ("csv", "tsv", "jsonl", "json", "parquet")
SNIFFED_JSON_BYTES = 20_000_000


@dataclass(frozen=True)
class Warned:
    """A row that came in although something about it looks wrong."""

    line: int
    reason: str


@dataclass
class Stored:
    """What became of one batch."""

    added: int = 0
    duplicates: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)


@dataclass(frozen=True)
class ImportResult:
    kind: str
    read: int
    added: int
    duplicates: int
    rejected: tuple[Rejected, ...]
    warnings: tuple[Warned, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        rejected = [{"line": row.line, "reason": row.reason} for row in self.rejected]
        warnings = [{"line": row.line, "reason": row.reason} for row in self.warnings]
        return {
            "kind": self.kind,
            "read": self.read,
            "added": self.added,
            "duplicates": self.duplicates,
            "rejected": rejected,
            "warnings": warnings,
        }


@dataclass(frozen=True)
class Source:
    """The file of an import: where it lies, how its people call it, its format and which column holds which field.

    A field that is not in ``columns`` is found by the names of the file; one that has "" is in no column.
    """

    path: Path
    name: str
    format: str
    columns: Mapping[str, str] | None = None


class Kind(Protocol):
    FIELDS: Mapping[str, tuple[str, ...]]
    REQUIRED: tuple[str, ...]

    def read(self, source: Source) -> Iterator[Any]: ...
    def store(self, session: Session, project: Project, items: list[Any]) -> Stored: ...


def load_kind(kind: str) -> Any:
    """The module of a kind of import. Raises :class:`Invalid` naming the known ones."""
    if kind not in KINDS:
        raise Invalid(
            f"{kind!r} cannot be imported; choose one of {', '.join(KINDS)}.", {"kind": "Choose what the file holds."}
        )
    return importlib.import_module(KINDS[kind])


def _ignore(_fraction: float, _message: str) -> None: ...


def _no_guard(_session: Session) -> None: ...


def import_file(
    path: Path,
    *,
    project: Project,
    kind: str,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    name: str | None = None,
    report: Report = _ignore,
    guard: Callable[[Session], None] = _no_guard,
) -> ImportResult:
    """Add the rows of a file to the project. Good rows go in, bad ones come back with their line and reason.

    ``columns`` maps fields to the file's own column names; ``name`` is the file's name as people know it. Adding the same
    file again adds nothing. Raises :class:`Invalid` when the file as a whole cannot be read.
    """
    importer = load_kind(kind)
    source = open_source(path, kind=kind, format=format, columns=columns, name=name)
    counts, read = Stored(), 0
    total = max(source.path.stat().st_size, 1)
    try:
        rows = importer.read(source)
        while batch := list(islice(rows, BATCH_ROWS)):
            read += len(batch)
            _store_batch(importer, batch, project=project, counts=counts, guard=guard)
            report(min(0.95, read * 300 / total), f"{read:,} rows read, {counts.added:,} added")
    except RetrieverError as error:
        raise Invalid(f"{source.name}: {error}") from error
    rejected = tuple(sorted(counts.rejected, key=lambda row: row.line))
    return ImportResult(kind, read, counts.added, counts.duplicates, rejected, tuple(counts.warnings))


def open_source(
    path: Path,
    *,
    kind: str,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Source:
    """The file, its format found and its mapping checked as far as that goes without reading it."""
    from retriever.readers import file_format

    shown = name or path.name
    if not path.is_file():
        raise Invalid(f"There is no file {path}; give the path of an existing one.")
    try:
        found = file_format(Path(shown), format)
    except RetrieverError as error:
        raise Invalid(f"{shown}: {error}") from error
    if kind == "documents" and found not in MAPPED_FORMATS:
        _refuse_large(path, shown)
    if columns:
        _check_fields(kind, columns)
    return Source(path, shown, found, dict(columns) if columns else None)


def _refuse_large(path: Path, name: str) -> None:
    """Told by its size, before a byte is read."""
    from webapp.corpus.documents import LARGEST_PROSE, MAX_CHARACTERS

    size = path.stat().st_size
    if size > LARGEST_PROSE:
        raise Invalid(
            f"{name} has {size / 1e6:,.0f} MB; a file that is one document may have {LARGEST_PROSE / 1e6:,.0f} MB "
            f"({MAX_CHARACTERS:,} characters). Split it into several files."
        )


def _check_fields(kind: str, columns: Mapping[str, str]) -> None:
    importer = load_kind(kind)
    for name in columns:
        if name not in importer.FIELDS:
            raise Invalid(f"{kind} have no field {name!r}; they have {', '.join(importer.FIELDS)}.")


def _store_batch(
    importer: Any, batch: list[Any], *, project: Project, counts: Stored, guard: Callable[[Session], None]
) -> None:
    counts.rejected += [item for item in batch if isinstance(item, Rejected)]
    items = [item for item in batch if not isinstance(item, Rejected)]
    with write() as session:
        guard(session)
        refuse_deleted(session, project)
        stored = importer.store(session, project, items)
    counts.added += stored.added
    counts.duplicates += stored.duplicates
    counts.rejected += stored.rejected
    counts.warnings += stored.warnings


def refuse_deleted(session: Session, project: Project) -> None:
    """Raise :class:`NotFound` when the project went away meanwhile; else make other imports into it wait for this transaction."""
    alive = select(Project.id).where(Project.id == project.id, Project.deleted_at.is_(None)).with_for_update()
    if session.scalar(alive) is None:
        raise NotFound("The project was deleted meanwhile; the work was stopped.")


def mapped_rows(
    source: Source, *, fields: Mapping[str, tuple[str, ...]], required: tuple[str, ...]
) -> Iterator[Row | Rejected]:
    """The rows of a table with the file's columns renamed to ours. Raises :class:`RetrieverError` when a required one is not told."""
    from retriever.readers import read_rows

    columns = full_columns(source, fields=fields, required=required)
    for row in read_rows(source.path, format=source.format):
        if isinstance(row, Row):
            yield Row(row.line, {name: row.values.get(column) for name, column in columns.items()})
        else:
            yield row


def full_columns(
    source: Source, *, fields: Mapping[str, tuple[str, ...]], required: tuple[str, ...]
) -> Mapping[str, str]:
    """Field -> column: those that were told, and the others by the names of the file. Raises :class:`RetrieverError` as above."""
    told = dict(source.columns or {})
    names: tuple[str, ...] = ()
    if any(field not in told for field in fields):
        found = sniff(source, fields=fields, required=())
        names = found.names
        guess = found.guess or {}
        told = {field: column for field, column in guess.items() if column not in told.values()} | told
    columns = {field: column for field, column in told.items() if column}
    missing = [field for field in required if field not in columns]
    if missing:
        raise RetrieverError(_missing(missing, names, free=[name for name in names if name not in columns.values()]))
    return columns


def _missing(fields: list[str], names: tuple[str, ...], *, free: list[str]) -> str:
    """``free``: the columns that hold nothing else; where one is left for one field, it is offered."""
    held = ", ".join(name[:40] for name in names[:20])
    column = free[0] if len(fields) == len(free) == 1 and len(free[0]) <= 40 else "COLUMN"
    options = " ".join(f"--map {quote(f'{field}={column}')}" for field in fields)
    return (
        f"No column is named like {' or '.join(fields)}; say which one holds {'it' if len(fields) == 1 else 'each'}, "
        f"on the command line by {options} (the file has: {held})."
    )


def sniff(source: Source, *, fields: Mapping[str, tuple[str, ...]], required: tuple[str, ...]) -> Columns:
    from retriever.readers import sniff_columns

    return sniff_columns(source.path, format=source.format, fields=fields, required=required)


def sniff_file(source: Source, *, kind: str) -> Columns | None:
    """The columns of a table file for a mapping form; None for prose, which has none, and for JSON too large to read at once.

    Loads nothing heavy: the web process calls it.

    Raises :class:`Invalid` when the file is empty, binary or not what its ending promises.
    """
    from retriever.rows import check_is_text

    importer = load_kind(kind)
    try:
        if source.format == "parquet":
            return sniff_parquet(source.path, fields=importer.FIELDS, required=importer.REQUIRED)
        if source.format in MAPPED_FORMATS:
            is_large = source.format == "json" and source.path.stat().st_size > SNIFFED_JSON_BYTES
            return None if is_large else sniff(source, fields=importer.FIELDS, required=importer.REQUIRED)
        check_is_text(source.path)
    except RetrieverError as error:
        raise Invalid(f"{source.name}: {error}") from error
    return None


def guess_all(columns: Columns, *, kind: str) -> dict[str, str]:
    """The fields whose column the names tell, required or not: what a mapping form begins with."""
    from retriever.readers import guess_columns

    return dict(guess_columns(columns.names, fields=load_kind(kind).FIELDS, required=()) or {})
