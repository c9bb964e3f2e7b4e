"""Questions in: one row per wording, with the limits that a typed question has to keep as well."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from retriever.cleaning import clean_text, document_sha256
from retriever.types import Rejected, Row
from webapp.corpus.importing import Source, Stored, mapped_rows
from webapp.errors import Invalid
from webapp.models import Project, Question

FIELDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "qid", "question_id", "questionid", "_id", "query_id", "key", "uuid"),
    "question": ("question", "query", "text", "input", "sentence", "dialogue", "prompt", "q", "review"),
}
REQUIRED = ("question",)
MAX_CHARACTERS = 10_000


@dataclass(frozen=True)
class Item:
    line: int
    id: str
    text: str


def clean_question(text: str) -> str:
    """The question as it is stored. Raises :class:`Invalid` with one sentence when it is empty or too long."""
    text = clean_text(text).strip()
    if not text:
        raise Invalid("The question is empty; write one.", {"question": "Write a question."})
    if len(text) > MAX_CHARACTERS:
        size = f"{len(text):,} characters where at most {MAX_CHARACTERS:,} fit"
        raise Invalid(f"The question has {size}; shorten it.", {"question": f"At most {MAX_CHARACTERS:,} characters."})
    return text


def question_sha256(text: str, *, context: str = "") -> str:
    """What makes a question one of a kind in its project: its words, and the text it was asked about, if it came with one."""
    return document_sha256(text + "\0" + context) if context else document_sha256(text)


def cell(value: Any) -> str:
    """A cell as text; "" for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):  # a missing number in Parquet
        return ""
    return value if isinstance(value, str) else str(value)


def read(source: Source) -> Iterator[Item | Rejected]:
    """A table's rows; in a text file every line is a question."""
    rows = _lines(source) if source.format == "txt" else mapped_rows(source, fields=FIELDS, required=REQUIRED)
    for row in rows:
        yield row if isinstance(row, Rejected) else _item(row)


def _lines(source: Source) -> Iterator[Row | Rejected]:
    from retriever.rows import check_is_text

    check_is_text(source.path)
    with source.path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                yield Rejected(number, "The line is not UTF-8; save the file as UTF-8.")
                continue
            if text:
                yield Row(number, {"question": text})


def _item(row: Row) -> Item | Rejected:
    try:
        return Item(
            row.line, cell(row.values.get("id")).strip()[:400], clean_question(cell(row.values.get("question")))
        )
    except Invalid as error:
        return Rejected(row.line, str(error))


def store(session: Session, project: Project, items: list[Item]) -> Stored:
    result = Stored()
    hashes = {item.line: question_sha256(item.text) for item in items}
    known = known_hashes(session, project, list(hashes.values()))
    named = known_ids(session, project, [item.id for item in items if item.id])
    rows = []
    for item in items:
        sha256 = hashes[item.line]
        if sha256 in known:
            result.duplicates += 1
        elif item.id and item.id in named:
            result.rejected.append(taken(item.line, item.id))
        else:
            known.add(sha256)
            named |= {item.id}
            rows.append({"project_id": project.id, "external_id": item.id, "text": item.text, "sha256": sha256})
    if rows:
        session.execute(insert(Question), rows)
    result.added = len(rows)
    return result


def known_hashes(session: Session, project: Project, hashes: list[str], *, without_gold: bool = False) -> set[str]:
    """Which of them the project has; with ``without_gold`` only those whose answer nobody imported."""
    query = select(Question.sha256).where(Question.project_id == project.id, Question.sha256.in_(hashes))
    return set(session.scalars(query.where(Question.gold.is_(None)) if without_gold else query))


def known_ids(session: Session, project: Project, ids: list[str]) -> set[str]:
    query = select(Question.external_id).where(Question.project_id == project.id, Question.external_id.in_(ids))
    return set(session.scalars(query))


def taken(line: int, external_id: str) -> Rejected:
    return Rejected(line, f"The id {external_id[:80]!r} is already that of another question; give this one its own id.")
