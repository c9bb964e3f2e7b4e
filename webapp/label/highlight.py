"""A passage cut into pieces for the page, so that the template escapes every piece and no markup is ever made from text."""

import re
from collections.abc import Sequence
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
    edges = {0, len(text), *(edge for place in found for edge in place)}
    if evidence is not None:
        edges |= {min(max(edge, 0), len(text)) for edge in evidence}
    cuts = sorted(edges)
    starts = {a: b for a, b in found}
    pieces, term_end = [], 0
    for a, b in pairwise(cuts):
        term_end = max(term_end, starts.get(a, 0))
        is_evidence = evidence is not None and evidence[0] <= a and b <= evidence[1]
        pieces.append(Piece(text[a:b], is_evidence, b <= term_end))
    return pieces


def _places(text: str, terms: Sequence[str]) -> list[tuple[int, int]]:
    words = sorted({term for term in terms if term}, key=len, reverse=True)
    if not words:
        return []
    pattern = rf"(?<!\w)(?:{'|'.join(re.escape(word) for word in words)})(?!\w)"
    return [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
