"""Labels out of Errata: one stream of plain rows, one writer per format, and a note of every label a format cannot hold.

CSV cells that a spreadsheet would run as a formula get a leading apostrophe; the column ``neutralised`` names the cells that got
one, so that taking it away again restores the text exactly.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from training.tasks import get_task, load_function
from webapp.errors import Invalid
from webapp.label import service as label_service
from webapp.models import (
    VERDICTS,
    Answer,
    AnswerPassage,
    Document,
    Label,
    Passage,
    Person,
    Project,
    Question,
    Release,
    db,
)

Drop = Callable[[int, str], None]
Row = dict[str, Any]

PAGE = 500
FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
GENERIC = {"jsonl": "JSON lines: everything, one label a line", "csv": "CSV: for spreadsheets"}
SUFFIXES = {"jsonl": "jsonl", "csv": "csv"}
CHOICES = tuple(verdict for verdict in VERDICTS if verdict != "undo")


@dataclass(frozen=True)
class Filters:
    """Which current labels to export: these verdicts (all when empty), of one person (anybody when None)."""

    verdicts: tuple[str, ...] = ()
    person_id: int | None = None


def formats(task: str) -> dict[str, str]:
    """Format name -> title, for a project's task."""
    return GENERIC | {name: title for name, (title, _writer) in get_task(task).EXPORTS.items()}


def suffix_of(format_name: str) -> str:
    return SUFFIXES.get(format_name, "json")


def write_labels(project: Project, format_name: str, *, filters: Filters, drop: Drop) -> Iterator[str]:
    """The export as text chunks. ``drop(label, reason)`` hears of each label the format cannot hold. Raises ``Invalid``."""
    known = formats(project.task)
    if format_name not in known:
        raise Invalid(f"{format_name!r} is not an export format of this project; it is one of {', '.join(known)}.")
    unknown = set(filters.verdicts) - set(CHOICES)
    if unknown:
        raise Invalid(f"{sorted(unknown)[0]!r} is not a verdict; expected {', '.join(CHOICES)}.")
    rows = label_rows(project.id, filters)
    if format_name in GENERIC:
        return {"jsonl": _write_jsonl, "csv": _write_csv}[format_name](rows)
    _title, writer = get_task(project.task).EXPORTS[format_name]
    return cast(Iterator[str], load_function(writer)(rows, drop))


def label_rows(project_id: int, filters: Filters) -> Iterator[Row]:
    """Current labels in the order they were made, a page at a time, no read transaction held between pages."""
    last = 0
    while True:
        labels = list(db.session.execute(_statement(project_id, filters).where(Label.id > last).limit(PAGE)).mappings())
        shown = _shown_passages([row["answer_id"] for row in labels if row["answer_id"] is not None])
        db.session.rollback()
        if not labels:
            return
        for label in labels:
            yield _plain(dict(label), shown)
        last = labels[-1]["label"]


def count_labels(project_id: int, filters: Filters) -> int:
    return (
        db.session.scalar(select(func.count()).select_from(_statement(project_id, filters).order_by(None).subquery()))
        or 0
    )


def _statement(project_id: int, filters: Filters) -> Any:
    right, read, first = aliased(Passage), aliased(Passage), aliased(AnswerPassage)
    statement = (
        label_service.current_labels(project_id)
        .join(Question, Question.id == Label.question_id).join(Person, Person.id == Label.person_id)
        .outerjoin(Answer, Answer.id == Label.answer_id).outerjoin(Release, Release.id == Answer.release_id)
        .outerjoin(first, (first.answer_id == Answer.id) & (first.rank == 1))
        .outerjoin(right, right.id == Label.passage_id)
        .outerjoin(read, read.id == func.coalesce(Answer.passage_id, first.passage_id))
        .outerjoin(Document, Document.id == func.coalesce(right.document_id, read.document_id))
        .with_only_columns(
            Label.id.label("label"), Question.id.label("question_id"), Question.external_id.label("external_id"),
            Question.text.label("question"), Label.verdict, Label.reject_reason, Label.text,
            Label.passage_id, right.text.label("passage"), Document.title.label("document"), Label.start, Label.end,
            Label.reason, Person.name.label("person"), Label.round, Label.version, Label.edit_distance, Label.seconds,
            Label.is_late, Label.is_blind, Label.weight, Label.created_at, Label.answer_id, Answer.text.label("shown_answer"),
            Answer.answerable.label("shown_answerable"), Answer.score.label("shown_score"), Answer.prompt_version,
            read.id.label("shown_passage_id"), read.text.label("shown_passage"), Answer.start.label("shown_start"),
            Answer.end.label("shown_end"), Release.number.label("release"), maintain_column_froms=True,
        )
        .order_by(None).order_by(Label.id)
    )  # fmt: skip
    if filters.verdicts:
        statement = statement.where(Label.verdict.in_(filters.verdicts))
    if filters.person_id is not None:
        statement = statement.where(Label.person_id == filters.person_id)
    return statement


def _shown_passages(answers: list[int]) -> dict[int, list[Row]]:
    shown: dict[int, list[Row]] = {}
    statement = select(AnswerPassage.answer_id, AnswerPassage.rank, AnswerPassage.passage_id, AnswerPassage.score)
    statement = statement.where(AnswerPassage.answer_id.in_(answers)).order_by(
        AnswerPassage.answer_id, AnswerPassage.rank
    )
    for answer, rank, passage, score in db.session.execute(statement):
        shown.setdefault(answer, []).append({"rank": rank, "passage": passage, "score": score})
    return shown


def _plain(row: Row, shown: dict[int, list[Row]]) -> Row:
    passages = shown.get(row.pop("answer_id"), [])
    return {**row, "created_at": row["created_at"].isoformat(), "passages": passages}


def _write_jsonl(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


COLUMNS = (
    "label", "question_id", "external_id", "question", "verdict", "reject_reason", "text", "passage_id", "passage", "document",
    "start", "end", "reason", "person", "round", "version", "edit_distance", "seconds", "is_late", "is_blind", "weight", "created_at",
    "shown_answer", "shown_answerable", "shown_score", "prompt_version", "shown_passage_id", "shown_passage", "release",
)  # fmt: skip


def _write_csv(rows: Iterable[Row]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow((*COLUMNS, "neutralised"))
    for row in rows:
        cells = {column: row[column] for column in COLUMNS}
        risky = [column for column, value in cells.items() if is_formula(value)]
        cells.update({column: "'" + cells[column] for column in risky})
        writer.writerow((*cells.values(), " ".join(risky)))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    if buffer.tell():
        yield buffer.getvalue()


def is_formula(value: Any) -> bool:
    """Whether a spreadsheet may run this cell; blanks before the sign do not make it harmless."""
    return isinstance(value, str) and (value.startswith(FORMULA_STARTS) or value.lstrip().startswith(FORMULA_STARTS))
