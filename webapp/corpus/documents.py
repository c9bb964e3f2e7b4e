"""Documents in and out: one row per text, told apart by the hash of its words."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session

from retriever.readers import DOCUMENT_FIELDS
from retriever.types import Document as Text
from retriever.types import Rejected
from webapp.audit import record
from webapp.corpus.importing import MAPPED_FORMATS, Source, Stored, full_columns
from webapp.errors import NotFound
from webapp.models import Document, Passage, Project, db, now

FIELDS = DOCUMENT_FIELDS
REQUIRED = ("text",)
MAX_CHARACTERS = 5_000_000
LARGEST_PROSE = 4 * MAX_CHARACTERS  # bytes of a file that is one document: no character takes more than four
PER_PAGE = 50
TITLE_CHARACTERS = 300


@dataclass(frozen=True)
class Page:
    """A page of the document list; ``total`` counts all that match."""

    documents: list[Any]
    total: int
    number: int
    pages: int


def read(source: Source) -> Iterator[Text | Rejected]:
    """The documents of a file; a page of prose without a title is called like its file."""
    from retriever.readers import read_documents

    is_table = source.format in MAPPED_FORMATS or source.columns
    columns = full_columns(source, fields=FIELDS, required=REQUIRED) if is_table else None
    for found in read_documents(source.path, format=source.format, columns=columns):
        if isinstance(found, Rejected):
            yield found
        elif len(found.text) > MAX_CHARACTERS:
            size = f"{len(found.text):,} characters where at most {MAX_CHARACTERS:,} fit"
            yield Rejected(found.line, f"The text has {size}; split it into several documents.")
        elif not found.title and source.format not in MAPPED_FORMATS:
            yield replace(found, title=PurePath(source.name).stem)
        else:
            yield found


def store(session: Session, project: Project, items: list[Text]) -> Stored:
    result = Stored()
    known = _known(session, project, Document.sha256, [text.sha256 for text in items])
    named = _known(session, project, Document.external_id, [text.id for text in items if text.id])
    rows = []
    for text in items:
        if text.sha256 in known:
            result.duplicates += 1
        elif text.id and text.id in named:
            reason = f"The id {text.id[:80]!r} is already that of a document with another text; delete that one first."
            result.rejected.append(Rejected(text.line, reason))
        else:
            known.add(text.sha256)
            named |= {text.id}
            rows.append(_row(project, text))
    if rows:
        session.execute(insert(Document), rows)
    result.added = len(rows)
    return result


def _known(session: Session, project: Project, column: Any, values: list[str]) -> set[str]:
    query = select(column).where(Document.project_id == project.id, Document.deleted_at.is_(None), column.in_(values))
    return set(session.scalars(query))


def _row(project: Project, text: Text) -> dict[str, Any]:
    title = text.title[:TITLE_CHARACTERS]
    return {
        "project_id": project.id,
        "external_id": text.id[:400],
        "title": title,
        "text": text.text,
        "sha256": text.sha256,
    }


def _matching(project: Project, query: str) -> list[Any]:
    conditions = [Document.project_id == project.id, Document.deleted_at.is_(None)]
    if query:
        found = (
            column.icontains(query, autoescape=True) for column in (Document.title, Document.external_id, Document.text)
        )
        conditions.append(or_(*found))
    return conditions


def list_documents(project: Project, *, query: str = "", number: int = 1) -> Page:
    """One page of the documents, newest first, whose title, id or text holds ``query``; only the first characters of each text."""
    conditions = _matching(project, query.strip())
    total = int(db.session.scalar(select(func.count()).select_from(Document).where(*conditions)) or 0)
    pages = max(1, -(-total // PER_PAGE))
    number = min(max(number, 1), pages)
    columns = (
        Document.id, Document.title, Document.external_id, Document.created_at, func.substr(Document.text, 1, 240).label("start"),
        func.length(Document.text).label("characters"),
    )  # fmt: skip
    query_rows = (
        select(*columns).where(*conditions).order_by(Document.id.desc()).limit(PER_PAGE).offset((number - 1) * PER_PAGE)
    )
    return Page(list(db.session.execute(query_rows)), total, number, pages)


def document_or_404(project: Project, document_id: int) -> Document:
    document = db.session.get(Document, document_id)
    if document is None or document.project_id != project.id or document.deleted_at is not None:
        raise NotFound(
            "There is no such document in this project, or it was deleted; the corpus page lists the others."
        )
    return document


def passages_of(document: Document) -> list[Passage]:
    return list(
        db.session.scalars(select(Passage).where(Passage.document_id == document.id).order_by(Passage.position))
    )


def delete_documents(session: Session, project: Project, ids: list[int]) -> int:
    """Take documents out of the corpus; their passages stay readable where old answers show them. Returns how many."""
    chosen = (Document.id.in_(ids), Document.project_id == project.id, Document.deleted_at.is_(None))
    gone = update(Document).where(*chosen).values(deleted_at=now()).returning(Document.id)
    deleted = list(session.scalars(gone.execution_options(synchronize_session=False)))
    if deleted:
        record(session, "documents.delete", project_id=project.id, documents=len(deleted), first=deleted[:20])
    return len(deleted)
