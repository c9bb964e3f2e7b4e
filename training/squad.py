"""SQuAD 2.0 JSON and gold JSON lines, read and written row by row; a row that cannot be used is named with the reason."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from pathlib import Path
from typing import IO, Any

from training.answerers.rows import find_answer
from training.types import Drop, QuestionRow, TrainingError

__all__ = ["Drop", "QuestionRow", "read", "write", "write_lines"]


def read(path: Path, *, drop: Drop) -> Iterator[QuestionRow]:
    """Rows of a SQuAD JSON file or of gold JSON lines (``.gz`` too). Raises :class:`TrainingError` when it is neither."""
    try:
        with _open(path) as file:
            yield from _rows(file, path.name, drop=drop)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TrainingError(f"{path.name} is not a whole gzip file ({error}); compress it again.") from error


def _open(path: Path) -> IO[str]:
    # What is not UTF-8 becomes surrogates, so that one bad line is named and the others are read.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape")
    return path.open(encoding="utf-8", errors="surrogateescape")


def _rows(file: IO[str], name: str, *, drop: Drop) -> Iterator[QuestionRow]:
    lines = enumerate(file, start=1)
    start, first = next(((number, line) for number, line in lines if line.strip()), (1, ""))
    if _is_row(first):
        rest: Iterable[tuple[int, str]] = lines
    else:
        text = "".join(line for _, line in lines)
        articles = _articles(first + text)
        if articles is not None:
            yield from _nested(articles, drop=drop)
            return
        rest = list(enumerate(text.split("\n"), start=start + 1))
        if not any(_is_row(line) for _, line in rest):
            raise TrainingError(
                f'{name} is neither SQuAD JSON ({{"data": [...]}}) nor gold JSON lines with a question and a context.'
            )
    for number, line in chain([(start, first)], rest):
        if line.strip():
            yield from _line(number, line, drop=drop)


def _is_row(line: str) -> bool:
    try:
        value = json.loads(line)
    except ValueError:
        return False
    return isinstance(value, dict) and "question" in value


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _line(number: int, line: str, *, drop: Drop) -> Iterator[QuestionRow]:
    if not _is_utf8(line):
        drop(f"line {number}", "it is not UTF-8")
        return
    try:
        value = json.loads(line)
    except ValueError:
        drop(f"line {number}", "it is not JSON")
        return
    row = _row(value, context=value.get("context"), title=value.get("title", "")) if isinstance(value, dict) else None
    yield from _checked(row, f"line {number}", drop=drop)


def _articles(text: str) -> list[Any] | None:
    """The articles of SQuAD JSON; None when the text is something else."""
    try:
        value = json.loads(text) if _is_utf8(text) else None
    except ValueError:
        return None
    data = value.get("data") if isinstance(value, dict) else None
    return data if isinstance(data, list) else None


def _nested(articles: list[Any], *, drop: Drop) -> Iterator[QuestionRow]:
    for title, context, question in _questions(articles):
        row = _row(question, context=context, title=title) if isinstance(question, dict) else None
        yield from _checked(row, str(question.get("id", "")) if isinstance(question, dict) else "a question", drop=drop)


def _questions(articles: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """(title, context, question), a part that is not what SQuAD has there passed over as an empty one."""
    for article in articles:
        about: dict[str, Any] = article if isinstance(article, dict) else {"paragraphs": [{"qas": [article]}]}
        for paragraph in _list(about.get("paragraphs")):
            inner = paragraph if isinstance(paragraph, dict) else {"qas": [paragraph]}
            for question in _list(inner.get("qas")):
                yield about.get("title", ""), inner.get("context"), question


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _row(value: dict[str, Any], *, context: Any, title: str) -> QuestionRow | None:
    """The row with its answers as given, or None where question or context is missing."""
    question = value.get("question")
    if not isinstance(question, str) or not isinstance(context, str) or not question.strip():
        return None
    given = [] if value.get("is_impossible") else value.get("answers") or []
    answers = tuple(_answer(each) for each in (given if isinstance(given, list) else [given]))
    return QuestionRow(str(value.get("id", "")), question, context, answers, str(title))


def _answer(value: Any) -> tuple[str, int | None]:
    """One answer given as an object or as its bare text."""
    if not isinstance(value, dict):
        return str(value), None
    start = value.get("start", value.get("answer_start"))
    return str(value.get("text", "")), start if isinstance(start, int) else None


def _checked(row: QuestionRow | None, name: str, *, drop: Drop) -> Iterator[QuestionRow]:
    if row is None:
        drop(name, "it has no question or no context")
        return
    placed = [find_answer(text, row.context, start) for text, start in row.answers]
    kept = tuple((row.context[place[0] : place[1]], place[0]) for place in placed if place is not None)
    if row.answers and not kept:
        drop(row.id or name, "its answer is not in its context")
        return
    yield QuestionRow(row.id, row.question, row.context, kept, row.title)


def write(rows: Iterable[QuestionRow], *, drop: Drop) -> Iterator[str]:
    """SQuAD 2.0 JSON in pieces, one question at a time; neighbours with the same title and context share a paragraph."""
    yield '{"version": "v2.0", "data": ['
    articles = groupby(_usable(rows, drop=drop), key=lambda row: row.title)
    for i, (title, of_title) in enumerate(articles):
        yield f'{", " if i else ""}{{"title": {json.dumps(title)}, "paragraphs": ['
        for j, (context, of_context) in enumerate(groupby(of_title, key=lambda row: row.context)):
            yield f'{", " if j else ""}{{"context": {json.dumps(context)}, "qas": ['
            for k, row in enumerate(of_context):
                yield (", " if k else "") + json.dumps(_question(row))
            yield "]}"
        yield "]}"
    yield "]}\n"


def write_lines(rows: Iterable[QuestionRow], *, drop: Drop) -> Iterator[str]:
    """Gold JSON lines, one row a line."""
    for row in _usable(rows, drop=drop):
        answers = [{"text": text, "start": start} for text, start in row.answers]
        gold = {"id": row.id, "question": row.question, "context": row.context, "answers": answers}
        yield json.dumps({**gold, "is_impossible": not answers}, ensure_ascii=False) + "\n"


def _usable(rows: Iterable[QuestionRow], *, drop: Drop) -> Iterator[QuestionRow]:
    for row in rows:
        yield from _checked(row, row.id, drop=drop)


def _question(row: QuestionRow) -> dict[str, Any]:
    answers = [{"text": text, "answer_start": start} for text, start in row.answers]
    return {"id": row.id, "question": row.question, "answers": answers, "is_impossible": not answers}
