"""Files to documents: one front door for every format people bring, with a column mapping where names differ."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from retriever.cleaning import clean_text, document_sha256, html_text, markdown_text
from retriever.rows import check_is_text, decode_error, read_csv, read_json, read_json_lines, read_parquet
from retriever.types import Columns, Document, Rejected, RetrieverError, Row

__all__ = [
    "DOCUMENT_FIELDS",
    "document_sha256",
    "file_format",
    "guess_columns",
    "read_documents",
    "read_rows",
    "sniff_columns",
]

FORMATS = {
    ".txt": "txt", ".text": "txt", ".md": "md", ".markdown": "md", ".html": "html", ".htm": "html", ".csv": "csv", ".tsv": "tsv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".parquet": "parquet",
}  # fmt: skip
"""File name endings and the format each stands for; the values are what ``format`` accepts."""

DOCUMENT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "doc_id", "docid", "document_id", "documentid", "_id", "pid", "passage_id", "key", "uuid"),
    "title": ("title", "name", "heading", "headline", "subject", "doc_title", "document_title"),
    "text": (
        "text", "content", "contents", "body", "passage", "context", "document", "paragraph", "article", "description",
        "abstract", "review", "page_content", "passage_text", "doc_text", "document_text", "full_text",
    ),
}  # fmt: skip
"""A document's fields and the column names that mean them, most telling first."""

_PROSE: dict[str, Callable[[str], tuple[str, str]]] = {
    "txt": lambda text: ("", clean_text(text)),
    "md": markdown_text,
    "html": html_text,
}
_SHOWN_CHARACTERS = 200
_SAMPLED_ROWS = 5
_NAMED_ROWS = 100  # JSON objects may leave fields out: names are gathered from this many


def file_format(path: Path, format: str | None = None) -> str:
    """``format`` itself when given, else by the file name's ending; raises :class:`RetrieverError` for others."""
    found = format if format is not None else FORMATS.get(path.suffix.lower(), "")
    if found not in FORMATS.values():
        given = (
            f"{format!r}"
            if format is not None
            else (f"{path.suffix!r} files" if path.suffix else "files without an ending")
        )
        raise RetrieverError(f"{given} cannot be read; use one of {', '.join(FORMATS)}.")
    return found


def read_rows(path: Path, *, format: str | None = None) -> Iterator[Row | Rejected]:
    """The records of any supported file, streamed, with the bad ones named in between.

    A .txt, .md or .html file is one row of ``title`` and ``text``. SQuAD JSON gives one row per question. Raises
    :class:`RetrieverError`, a sentence, when the file as a whole cannot be read. Sizes are the caller's to limit.
    """
    kind = file_format(path, format)
    if kind == "parquet":
        return read_parquet(path)
    check_is_text(path)
    if kind in _PROSE:
        return iter([_prose_row(path, kind)])
    if kind == "jsonl":
        return read_json_lines(path)
    return read_json(path) if kind == "json" else read_csv(path, delimiter="\t" if kind == "tsv" else None)


def _prose_row(path: Path, kind: str) -> Row:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        declared = _declared_encoding(data) if kind == "html" else None
        if declared is None:
            raise RetrieverError(f"The file cannot be read: {decode_error(error)}; save it as UTF-8.") from error
        text = data.decode(declared, errors="replace")
    title, body = _PROSE[kind](text)
    return Row(1, {"title": title, "text": body})


def _declared_encoding(html: bytes) -> str | None:
    """The encoding an HTML page names itself, when it is a known one that maps bytes to text."""
    from bs4.dammit import EncodingDetector

    name = EncodingDetector.find_declared_encoding(html, is_html=True, search_entire_document=False)
    if name is None or name.lower() in ("utf-8", "utf8"):
        return None
    try:
        b"".decode(name)
    except LookupError:
        return None
    return name


def guess_columns(
    names: tuple[str, ...],
    *,
    fields: Mapping[str, tuple[str, ...]] = DOCUMENT_FIELDS,
    required: tuple[str, ...] = ("text",),
) -> Mapping[str, str] | None:
    """``field -> column`` by known names, ignoring case, spaces and hyphens; None when a required field has no column."""
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.strip().lower().replace(" ", "_").replace("-", "_"), name)
    guess = {}
    for field, aliases in fields.items():
        column = next((folded[alias] for alias in aliases if alias in folded), None)
        if column is not None:
            guess[field] = column
    return guess if all(field in guess for field in required) else None


def sniff_columns(
    path: Path,
    *,
    format: str | None = None,
    fields: Mapping[str, tuple[str, ...]] = DOCUMENT_FIELDS,
    required: tuple[str, ...] = ("text",),
) -> Columns:
    """The columns of a file, its first five rows as short texts, and which column holds which field, as far as names tell.

    ``fields`` maps each field to the column names that mean it; the guess is None unless every ``required`` field is found.
    """
    head = list(islice(read_rows(path, format=format), _NAMED_ROWS))
    rows = [row for row in head if isinstance(row, Row)]
    names = _names(rows)
    if not names:
        first = next((f"; line {row.line}: {row.reason}" for row in head if isinstance(row, Rejected)), ".")
        raise RetrieverError(f"The file has no row that can be read{first}")
    samples = tuple({name: _shown(row.values.get(name)) for name in names} for row in rows[:_SAMPLED_ROWS])
    return Columns(names, samples, guess_columns(names, fields=fields, required=required))


def _names(rows: list[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(name) for row in rows for name in row.values))


def _shown(value: Any) -> str:
    text = "" if value is None else clean_text(str(value))
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def read_documents(
    path: Path, *, format: str | None = None, columns: Mapping[str, str] | None = None
) -> Iterator[Document | Rejected]:
    """The documents of a file, streamed, with rows that could not be read in between.

    ``columns`` maps ``id``, ``title`` and ``text`` (required) to the file's own column names; None guesses them. Two rows with
    one id and different texts: the second is rejected. Raises :class:`RetrieverError` when the file as a whole cannot be read.
    """
    mapping = _mapping(path, format, columns)
    seen: dict[str, tuple[int, str]] = {}
    for row in read_rows(path, format=format):
        found = row if isinstance(row, Rejected) else _document(row, mapping)
        if isinstance(found, Document) and isinstance(row, Row) and found.id:
            line, sha256 = seen.setdefault(found.id, (row.line, found.sha256))
            if sha256 != found.sha256:
                found = Rejected(
                    row.line, f"The id {found.id[:80]!r} is already that of line {line} with another text."
                )
        yield found


def _mapping(path: Path, format: str | None, columns: Mapping[str, str] | None) -> Mapping[str, str]:
    """``columns`` checked against the file, or the guess. A file of bad rows alone keeps the default: they are to be listed."""
    names = _names([row for row in islice(read_rows(path, format=format), _NAMED_ROWS) if isinstance(row, Row)])
    held = ", ".join(name[:40] for name in names[:20])
    if columns is not None:
        absent = next((column for column in columns.values() if names and column not in names), None)
        if "text" not in columns:
            raise RetrieverError(f"Say which column holds the text (the file has: {held}).")
        if absent is not None:
            raise RetrieverError(f"The file has no column {absent!r} (it has: {held}).")
        return columns
    guess = guess_columns(names) if names else {"text": "text"}
    if guess is None:
        raise RetrieverError(f"No column is named like a text; say which one holds it (the file has: {held}).")
    return guess


def _document(row: Row, columns: Mapping[str, str]) -> Document | Rejected:
    cells = {field: _cell(row.values.get(column)) for field, column in columns.items()}
    bad = next((columns[field] for field, cell in cells.items() if cell is None), None)
    if bad is not None:
        return Rejected(row.line, f"{bad!r} holds {type(row.values[bad]).__name__} data where text was expected.")
    text = cells.get("text") or ""
    if not text.strip():
        column = columns.get("text", "text")
        missing = "is empty" if column in row.values else "is missing"
        return Rejected(row.line, f"The text is empty: {column!r} {missing}.")
    title = " ".join((cells.get("title") or "").split())
    return Document((cells.get("id") or "").strip(), title, text, document_sha256(text), row.line)


def _cell(value: Any) -> str | None:
    """The cleaned text of a cell, "" for none; None when it cannot be text."""
    if value is None or value != value:  # a missing number in Parquet is NaN
        return ""
    if isinstance(value, bytes):
        try:
            return clean_text(value.decode("utf-8"))
        except UnicodeDecodeError:
            return None
    if isinstance(value, (str, int, float)):
        return clean_text(str(value))
    return None
