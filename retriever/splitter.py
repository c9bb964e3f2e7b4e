"""A document's text cut into passages: whole sentences, within the embedder's token limit, each overlapping the one before."""

import re
from bisect import bisect_right
from collections.abc import Callable

from retriever.types import RetrieverError, Span

# Where one sentence may end: closing punctuation and space, East Asian full stops, a blank line, or a line break that
# is not followed by a small letter (a hard-wrapped line goes on in small letters; headings and list items do not).
_BREAK = re.compile(
    r"(?<=[.!?…])[\"'”’)\]]*(\s+)(?=[^a-z\s])|(?<=[。！？])()|(\s*\n\s*\n\s*)|([^\S\n]*\n\s*)(?=[^a-z\s])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|no|nos|vol|fig|figs|eq|sec|ch|pp?|ed|eds|inc|ltd|co|corp|gen|col|sgt|capt|lt|rev|hon|"
    r"approx|cf|al|e\.g|i\.e|u\.s|u\.k|a\.m|p\.m|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)|(?-i:\b[A-Z]))\.$",
    re.IGNORECASE,
)
_WORD_END = re.compile(r"(?<=\S)(?=\s)")
_CHARACTERS_PER_TOKEN = 20  # a tokenizer may call a word of any length one unknown token; a passage must stay readable

Counter = Callable[[str], int]


def split(text: str, *, max_tokens: int, overlap_tokens: int, count_tokens: Counter) -> list[Span]:
    """Spans of ``text``, in order, that together hold every non-space character.

    Each span is at most ``max_tokens`` by ``count_tokens`` (which counts the special tokens the embedder adds) and begins and
    ends at a sentence where one fits; a longer sentence is cut at words, a longer word at characters. Neighbours share whole
    sentences of at most ``overlap_tokens``. Raises :class:`RetrieverError` when the limits leave no room for text.
    """
    special = count_tokens("")
    if max_tokens <= special or not 0 <= overlap_tokens < max_tokens:
        raise RetrieverError(
            f"Passages of {max_tokens} tokens with {overlap_tokens} of overlap leave no room for text."
        )

    def fits(span: Span) -> bool:
        short = span.end - span.start <= max_tokens * _CHARACTERS_PER_TOKEN
        return short and count_tokens(text[span.start : span.end]) <= max_tokens

    whole = _trimmed(text, 0, len(text))
    if whole is None or fits(whole):
        return [] if whole is None else [whole]
    pieces = [
        piece
        for sentence in sentences(text)
        for piece in ([sentence] if fits(sentence) else _cut(text, sentence, fits))
    ]
    sizes = [count_tokens(text[piece.start : piece.end]) - special for piece in pieces]
    return _pack(pieces, sizes, budget=max_tokens - special, overlap=overlap_tokens, fits=fits)


def sentences(text: str) -> list[Span]:
    """The sentences of ``text`` without the space around them: a rule of thumb for European languages, Chinese and Japanese."""
    found, start = [], 0
    for match in _BREAK.finditer(text):
        end = match.start(match.lastindex or 0)
        if match.lastindex == 1 and _ABBREVIATION.search(text, max(start, end - 12), end):
            continue
        span = _trimmed(text, start, end)
        if span is not None:
            found.append(span)
        start = match.end()
    last = _trimmed(text, start, len(text))
    return found if last is None else [*found, last]


def _trimmed(text: str, start: int, end: int) -> Span | None:
    piece = text[start:end]
    stripped = piece.strip()
    if not stripped:
        return None
    left = start + len(piece) - len(piece.lstrip())
    return Span(left, left + len(stripped))


def _cut(text: str, span: Span, fits: Callable[[Span], bool]) -> list[Span]:
    """A sentence too long for one passage, as the fewest pieces that each fit, cut at words where words fit."""
    ends = [match.start() for match in _WORD_END.finditer(text, span.start, span.end)] + [span.end]
    pieces, start = [], span.start
    while start < span.end:
        first = bisect_right(ends, start)
        fitting = _longest(start, range(first, len(ends)), ends=ends, fits=fits)
        end = ends[fitting] if fitting is not None else _cut_word(start, ends[first], fits)
        pieces.append(Span(start, end))
        while end < span.end and text[end].isspace():
            end += 1
        start = end
    return pieces


def _cut_word(start: int, end: int, fits: Callable[[Span], bool]) -> int:
    positions = range(start + 1, end + 1)
    longest = _longest(start, range(len(positions)), ends=positions, fits=fits)
    if longest is None:
        raise RetrieverError("One character alone is longer than the passage limit; raise the limit.")
    return positions[longest]


def _longest(start: int, choices: range, *, ends: "list[int] | range", fits: Callable[[Span], bool]) -> int | None:
    """The last of ``choices`` whose end still fits, by doubling and halving; None when the first does not fit.

    Token counts grow with length but for a token here and there; whatever is returned was itself found to fit.
    """
    best, step, low = None, 1, choices.start
    while low < choices.stop and fits(Span(start, ends[low])):
        best, low, step = low, low + step, step * 2
    if best is None:
        return None
    high = min(low, choices.stop)
    while high - best > 1:
        middle = (best + high) // 2
        if fits(Span(start, ends[middle])):
            best = middle
        else:
            high = middle
    return best


def _pack(
    pieces: list[Span], sizes: list[int], *, budget: int, overlap: int, fits: Callable[[Span], bool]
) -> list[Span]:
    """Neighbouring pieces joined greedily; the sum of their sizes is only an estimate, so each span is counted as a whole."""
    spans: list[Span] = []
    start = fresh = 0  # pieces from ``start`` on form the next span; those from ``fresh`` on are in no span yet
    while fresh < len(pieces):
        end, total = start, 0
        while end < len(pieces) and (end == start or total + sizes[end] <= budget):
            total += sizes[end]
            end += 1
        while end > start + 1 and not fits(Span(pieces[start].start, pieces[end - 1].end)):
            end -= 1
        if end <= fresh:  # the overlap left no room for anything new
            start = start + 1
            continue
        spans.append(Span(pieces[start].start, pieces[end - 1].end))
        fresh = end
        start = _overlap_start(sizes, start + 1, end, overlap=overlap)
    return spans


def _overlap_start(sizes: list[int], first: int, end: int, *, overlap: int) -> int:
    start, total = end, 0
    while start > first and total + sizes[start - 1] <= overlap:
        start -= 1
        total += sizes[start]
    return start
