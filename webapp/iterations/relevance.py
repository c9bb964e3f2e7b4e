"""Which passages of the corpus a gold row is answered by, so that retrieval can be measured.

A passage is relevant when it overlaps the row's own context (five words in a row in common) and one of its answers stands in it
as whole words, in any case; when no overlapping passage holds a whole answer (it was split in two), every overlapping one is. A row
without a context is answered by any passage that holds one of its answers. Unanswerable rows have no relevant passage and do not count.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from training.answerers.rows import find_answer

WORDS_IN_ROW = 5


@dataclass(frozen=True)
class Sought:
    """An answerable gold row: its context ("" when unknown) and its acceptable answers."""

    id: str
    context: str
    answers: tuple[str, ...]


def relevant_passages(rows: Sequence[Sought], passages: Iterable[tuple[int, str]]) -> dict[str, set[int]]:
    """Row id -> ids of its relevant passages; rows with none are absent. One pass over the passages."""
    by_shingle = _index_contexts(rows)
    without_context = [row for row in rows if not row.context.strip()]
    by_context: dict[str, list[Sought]] = {}
    for row in rows:
        by_context.setdefault(row.context, []).append(row)
    overlapping: dict[str, set[int]] = {}
    holding: dict[str, set[int]] = {}
    for number, text in passages:
        contexts = {context for shingle in _shingles(text) for context in by_shingle.get(shingle, ())}
        for row in [row for context in contexts for row in by_context[context]]:
            overlapping.setdefault(row.id, set()).add(number)
            if _holds_any(text, row.answers):
                holding.setdefault(row.id, set()).add(number)
        for row in without_context:
            if _holds_any(text, row.answers):
                holding.setdefault(row.id, set()).add(number)
    return {**overlapping, **holding}


def _index_contexts(rows: Sequence[Sought]) -> Mapping[tuple[str, ...], set[str]]:
    found: dict[tuple[str, ...], set[str]] = {}
    for context in {row.context for row in rows if row.context.strip()}:
        for shingle in _shingles(context):
            found.setdefault(shingle, set()).add(context)
    return found


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    if len(words) <= WORDS_IN_ROW:
        return {tuple(words)} if words else set()
    return {tuple(words[i : i + WORDS_IN_ROW]) for i in range(len(words) - WORDS_IN_ROW + 1)}


def _holds_any(text: str, answers: Iterable[str]) -> bool:
    return any(find_answer(answer, text) is not None for answer in answers if answer.strip())
