"""The values that cross the border of this package. All frozen; none knows a database row."""

from collections.abc import Callable
from dataclasses import dataclass

Report = Callable[[float, str], None]
"""``report(fraction, message)``: progress from 0 to 1; it may raise to cancel."""


class RetrieverError(Exception):
    """Reading, indexing or searching cannot go on; the message is one sentence a person can act on."""


@dataclass(frozen=True)
class Document:
    """One imported text. ``id`` is the file's own id, or "" (the caller then names it); ``sha256`` is of the cleaned text."""

    id: str
    title: str
    text: str
    sha256: str


@dataclass(frozen=True)
class Rejected:
    """A row that could not be read: its 1-based line (or record) number and one sentence why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Passage:
    """A stretch of a document: ``id`` is the caller's integer key, ``text == document.text[start:end]``."""

    id: int
    text: str
    title: str = ""


@dataclass(frozen=True)
class Hit:
    """A retrieved passage. ``score`` is the fused score scaled to 0..1; ``terms`` the question's words found in the passage."""

    passage: int
    rank: int
    score: float
    dense_score: float | None
    bm25_score: float | None
    terms: tuple[str, ...]
