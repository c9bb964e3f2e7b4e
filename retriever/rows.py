"""Tables as rows: CSV, TSV, JSON lines, JSON and Parquet files read one record at a time, bad records named and passed over."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retriever.types import Rejected, RetrieverError, Row

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = (",", ";", "\t", "|")
_LARGEST_CELL = 256 * 2**20  # the csv module's own limit of 128 KiB would refuse an ordinary long document
_PARQUET_BATCH = 256


def decode_error(error: UnicodeDecodeError, *, offset: int = 0) -> str:
    """The middle of a sentence about bytes that are not UTF-8; ``offset`` is where the decoded bytes began in the file."""
    return f"byte 0x{error.object[error.start]:02x} at offset {offset + error.start} is not UTF-8"


def check_is_text(path: Path) -> None:
    """Raise :class:`RetrieverError` when the file is missing, empty, UTF-16 or not text at all; reads its first 8 KiB."""
    try:
        with path.open("rb") as file:
            head = file.read(8192)
    except OSError as error:
        raise RetrieverError(f"The file cannot be read: {error.strerror}.") from error
    if not head.strip():
        raise RetrieverError("The file is empty; choose one with text in it.")
    if head.startswith(_UTF16_MARKS):
        raise RetrieverError("The file is UTF-16; save it as UTF-8 and import it again.")
    controls = sum(byte < 9 or 13 < byte < 32 for byte in head)
    if controls > max(4, len(head) // 50) or (b"\0" in head and not _is_utf8(head)):
        raise RetrieverError("The file is binary, not text; choose a .txt, .md, .html, .csv, .jsonl or .parquet file.")


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut by the 8 KiB limit is no fault
    return True


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Each line's number, byte offset and bytes, without a byte-order mark."""
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            yield number, offset, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            offset += len(line)


def parse_json(text: str) -> Any:
    """``json.loads`` whose every refusal is a ``ValueError``; NaN and infinities, which are not JSON, become None."""
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError("is nested too deeply to be read") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error.msg} at column {error.colno})") from error
    except ValueError as error:
        raise ValueError("holds a number too long to be read") from error


def read_json_lines(path: Path) -> Iterator[Row | Rejected]:
    """One object a line; blank lines are passed over."""
    for number, offset, line in _lines(path):
        if not line.strip():
            continue
        try:
            value = parse_json(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield Rejected(number, f"The line is not UTF-8: {decode_error(error, offset=offset)}.")
        except ValueError as error:
            yield Rejected(number, f"The line {error}.")
        else:
            yield _row(number, value, "line")


def _row(number: int, value: Any, where: str) -> Row | Rejected:
    if isinstance(value, dict):
        return Row(number, value)
    return Rejected(number, f'The {where} holds {_kind(value)} where an object such as {{"text": "..."}} was expected.')


def _kind(value: Any) -> str:
    names = {
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        type(None): "nothing",
    }
    return names.get(type(value), "something else")


def read_json(path: Path) -> Iterator[Row | Rejected]:
    """A .json file: a list of objects, SQuAD JSON (one row per question), one object, or JSON lines after all."""
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        value = parse_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RetrieverError(f"The file cannot be read: {decode_error(error)}; save it as UTF-8.") from error
    except ValueError as error:
        # A file of several objects, one a line, is not one JSON value.
        if b"\n" in data.strip() and data.lstrip().startswith(b"{"):
            yield from read_json_lines(path)
            return
        raise RetrieverError(f"The file {error}.") from error
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        yield from _squad_rows(value["data"])
        return
    for number, item in enumerate(value if isinstance(value, list) else [value], 1):
        yield _row(number, item, "record")


def _squad_rows(articles: list[Any]) -> Iterator[Row | Rejected]:
    """SQuAD 1.1 or 2.0 flattened to ``id, title, question, context, answers: [{text, start}], is_impossible``."""
    number = 0
    for article in articles:
        for paragraph in _list_in(article, "paragraphs"):
            for question in _list_in(paragraph, "qas"):
                number += 1
                yield _squad_row(number, question, paragraph=paragraph, title=article.get("title", ""))


def _list_in(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _squad_row(number: int, question: Any, *, paragraph: dict[str, Any], title: Any) -> Row | Rejected:
    if not isinstance(question, dict):
        return Rejected(number, f"The question is {_kind(question)} where an object was expected.")
    answers = [answer for answer in _list_in(question, "answers") if isinstance(answer, dict)]
    values = {
        "id": question.get("id", ""),
        "title": title,
        "question": question.get("question"),
        "context": paragraph.get("context"),
        "answers": [{"text": answer.get("text"), "start": answer.get("answer_start")} for answer in answers],
        "is_impossible": bool(question.get("is_impossible", False)),
    }
    return Row(number, values)


class _CsvLines:
    """Feeds decoded lines to ``csv.reader`` and remembers which lines were not UTF-8."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: dict[int, str] = {}

    def __iter__(self) -> Iterator[str]:
        for number, offset, line in _lines(self._path):
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                self.faults[number] = f"{decode_error(error, offset=offset)}."
                yield line.decode("utf-8", errors="replace")


def _delimiter(path: Path) -> str:
    """The delimiter that the header holds most of, quoted names apart; a comma when it holds none."""
    header = re.sub('"[^"]*"', "", next(iter(_CsvLines(path)), ""))
    return max(_DELIMITERS, key=header.count)


def _header(cells: list[str]) -> tuple[str, ...]:
    """Column names: blanks are numbered and repeats get their column's number, so that every cell keeps a name."""
    names: list[str] = []
    for number, cell in enumerate(cells, 1):
        name = cell.strip() or f"column {number}"
        names.append(f"{name} ({number})" if name in names else name)
    return tuple(names)


def read_csv(path: Path, *, delimiter: str | None = None) -> Iterator[Row | Rejected]:
    """Rows under a header line. Missing cells are "", a row with more cells than the header has is rejected."""
    csv.field_size_limit(_LARGEST_CELL)
    lines = _CsvLines(path)
    reader = csv.reader(lines, delimiter=delimiter or _delimiter(path), strict=True)
    names: tuple[str, ...] = ()
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if not names:
                raise RetrieverError(f"The header of the file is not valid CSV: {error}.") from error
            yield Rejected(start, f"The row is not valid CSV: {error}.")
            continue
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        fault = next((lines.faults[line] for line in range(start, reader.line_num + 1) if line in lines.faults), None)
        if not names:
            if fault is not None:
                raise RetrieverError(f"The header cannot be read: {fault}")
            names = _header(cells)
        elif fault is not None:
            yield Rejected(start, f"The row is not UTF-8: {fault}")
        else:
            yield _csv_row(start, cells, names)


def _csv_row(line: int, cells: list[str], names: tuple[str, ...]) -> Row | Rejected:
    if len(cells) > len(names):
        reason = f"The row has {len(cells)} cells where the header has {len(names)}; quote cells that hold commas."
        return Rejected(line, reason)
    return Row(line, dict(zip(names, cells + [""] * (len(names) - len(cells)), strict=True)))


def read_parquet(path: Path) -> Iterator[Row | Rejected]:
    """Records of a Parquet file, numbered from 1."""
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=_PARQUET_BATCH):
            for index in range(batch.num_rows):
                number += 1
                try:
                    yield Row(number, batch.slice(index, 1).to_pylist()[0])
                except UnicodeDecodeError as error:
                    yield Rejected(number, f"The record is not UTF-8: {decode_error(error)}.")
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise RetrieverError(f"The file is not a readable Parquet file ({reason}); write it again.") from error


def parquet_names(path: Path) -> tuple[str, ...]:
    """Column names of a Parquet file; raises :class:`RetrieverError` when it is damaged."""
    import pyarrow
    import pyarrow.parquet

    try:
        return tuple(pyarrow.parquet.read_schema(path).names)
    except (pyarrow.ArrowException, OSError) as error:
        raise RetrieverError("The file is not a readable Parquet file; write it again.") from error
