"""The values that cross the border of this package. All frozen; none knows a database row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Report = Callable[[float, str], None]
"""``report(fraction, message)``: progress from 0 to 1; it may raise to cancel."""


TUNED = "tuned:"
"""How the identity of an encoder begins that was fine-tuned on labels; a hash of its weights follows."""


class RetrieverError(Exception):
    """Reading, indexing or searching cannot go on; the message is one sentence a person can act on."""


@dataclass(frozen=True)
class Document:
    """One imported text. ``id`` is the file's own id, or "" (the caller then names it); ``sha256`` is of the cleaned text.

    ``line`` is the 1-based line (or record) it starts on.
    """

    id: str
    title: str
    text: str
    sha256: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Rejected:
    """A row that could not be read: its 1-based line (or record) number and one sentence why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Row:
    """One record of a file, its values as the file has them; ``line`` is the 1-based line (or record) it starts on."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Columns:
    """What a file holds, for a mapping form: its column names, the first rows, and the guessed ``field -> column`` mapping.

    ``guess`` is None when the names do not tell which column holds a required field.
    """

    names: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    guess: Mapping[str, str] | None


@dataclass(frozen=True)
class Span:
    """A stretch of a text: character offsets, ``end`` exclusive."""

    start: int
    end: int


@dataclass(frozen=True)
class Passage:
    """A stretch of a document: ``id`` is the caller's integer key, ``text == document.text[start:end]``."""

    id: int
    text: str
    title: str = ""


@dataclass(frozen=True)
class Hit:
    """A retrieved passage. ``score`` is the fused score scaled to 0..1; ``terms`` the question's words found in the passage.

    ``lift`` is what a label on a like question added (-1 to 1, 0: nothing), ``lift_label`` that label.
    """

    passage: int
    rank: int
    score: float
    dense_score: float | None
    bm25_score: float | None
    terms: tuple[str, ...]
    lift: float = 0.0
    lift_label: int | None = None
