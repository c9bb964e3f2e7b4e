"""A passage cut into pieces for the page, so that the template escapes every piece and no markup is ever made from text."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple


class Piece(NamedTuple):
    """Joined in order, the texts of all pieces are the passage, character for character."""

    text: str
    is_evidence: bool = False
    is_term: bool = False


def cut(text: str, *, evidence: tuple[int, int] | None = None, terms: Sequence[str] = ()) -> list[Piece]:
    """``evidence`` is a stretch of characters to mark, ``terms`` the words to underline wherever they stand as whole words."""
    found = _places(text, terms)
    if evidence is None:
        return _between(text, found)
    edges = {0, len(text), *(edge for place in found for edge in place)}
    edges |= {min(max(edge, 0), len(text)) for edge in evidence}
    cuts = sorted(edges)
    starts = {a: b for a, b in found}
    pieces, term_end = [], 0
    for a, b in pairwise(cuts):
        term_end = max(term_end, starts.get(a, 0))
        is_evidence = evidence[0] <= a and b <= evidence[1]
        pieces.append(Piece(text[a:b], is_evidence, b <= term_end))
    return pieces


def _between(text: str, found: Sequence[tuple[int, int]]) -> list[Piece]:
    """Only words to underline, as in most passages of every page."""
    pieces, at = [], 0
    for start, end in found:
        if start > at:
            pieces.append(Piece(text[at:start]))
        pieces.append(Piece(text[start:end], False, True))
        at = end
    if at < len(text):
        pieces.append(Piece(text[at:]))
    return pieces


def _places(text: str, terms: Sequence[str]) -> list[tuple[int, int]]:
    pattern = _pattern(tuple(terms))
    return [match.span() for match in pattern.finditer(text)] if pattern is not None else []


@lru_cache(maxsize=256)
def _pattern(terms: tuple[str, ...]) -> re.Pattern[str] | None:
    """The terms of a question come with each of its passages."""
    words = sorted({term for term in terms if term}, key=len, reverse=True)
    if not words:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(word) for word in words)})(?!\w)", re.IGNORECASE)
