"""In which order questions are labelled. Pure: no database, no request; the queue and ``errata replay`` use the same function.

``random``             by a hash of seed and question, so that a question keeps its place when others come and go
``uncertain``          least confidence of the model first; questions it has not answered come last
``diverse``            each next question is the one farthest from all before it (Gonzalez, 1985; Sener and Savarese, 2018)
``uncertain_diverse``  the same, distances weighted with the model's doubt, so that doubtful questions do not all ask one thing
``worst_slice``        the slice that did worst in the last evaluation first (:func:`slice_of`), within a slice by chance
``newest``             imported or typed last, served first

Whatever the strategy, near-duplicates stand at least ``GAP`` places apart, as far as there is anything else to put between them.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webapp.projects.settings import STRATEGIES

HEAD = 4_000  # so many places of the order are worked out; those behind them keep the plain order until the next pass
SPREAD = 1_000  # so many of them are chosen by distance
GAP = 25
ALIKE = 0.9  # cosine from which two questions are near-duplicates
_FEW = 5  # test questions of a slice below which its score says nothing
_WAITING_SEEN = 40

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Candidate:
    """An open question. ``score`` is the model's confidence in its answer, 0 to 1, None before it answered."""

    id: int
    text: str
    score: float | None = None
    slice: str = ""


def order(
    questions: Sequence[Candidate],
    strategy: str,
    seed: int,
    *,
    embed: Embed | None = None,
    labelled: Sequence[str] = (),
    slice_scores: Mapping[str, float] | None = None,
) -> list[int]:
    """The ids of ``questions`` in the order to label them: the same for the same arguments, in whatever order they come.

    ``embed`` maps texts to rows of length 1; without one texts are compared by their words. ``labelled`` are questions decided
    already, which ``diverse`` keeps away from. ``slice_scores`` is slice -> its score in the last evaluation. Raises ``ValueError``
    for an unknown strategy.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"The strategy is one of {', '.join(STRATEGIES)}, not {strategy!r}.")
    ranked = sorted(questions, key=_key(strategy, seed, slice_scores or {}))
    head, tail = ranked[:HEAD], ranked[HEAD:]
    if not head:
        return []
    embed = embed or by_words
    vectors = embed([one.text for one in head])
    places = list(range(len(head)))
    if strategy in ("diverse", "uncertain_diverse"):
        weights = _doubts(head) if strategy == "uncertain_diverse" else np.ones(len(head), dtype=np.float32)
        places = _spread(vectors, weights, embed(labelled) if labelled else None)
    return [head[place].id for place in _spaced(places, vectors)] + [one.id for one in tail]


def by_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of the texts' words, for when no embedding is at hand."""
    from retriever.embedder import HashEmbedder

    return HashEmbedder().encode(texts)


def _key(strategy: str, seed: int, slice_scores: Mapping[str, float]) -> Callable[[Candidate], Any]:
    def chance(one: Candidate) -> bytes:
        return hashlib.sha256(f"{seed}:{one.id}".encode()).digest()

    if strategy in ("uncertain", "uncertain_diverse"):
        return lambda one: (one.score is None, one.score or 0.0, chance(one))
    if strategy == "worst_slice":
        middle = sum(slice_scores.values()) / len(slice_scores) if slice_scores else 0.0
        return lambda one: (
            slice_scores.get(one.slice, middle),
            one.slice if one.slice in slice_scores else "",
            chance(one),
        )
    if strategy == "newest":
        return lambda one: -one.id
    return chance


def _doubts(head: Sequence[Candidate]) -> NDArray[np.float32]:
    """From 1 for the least confident to 0.1 for the most, by rank, so that any calibration will do."""
    weights = np.linspace(1.0, 0.1, num=len(head), dtype=np.float32)
    weights[[one.score is None for one in head]] = 0.05
    return weights


def _spread(
    vectors: NDArray[np.float32], weights: NDArray[np.float32], labelled: NDArray[np.float32] | None
) -> list[int]:
    """Farthest first, for the first ``SPREAD`` places; what is left keeps its order."""
    distances = np.full(len(vectors), 2.0, dtype=np.float32)
    if labelled is not None:
        distances = 1.0 - (vectors @ labelled.T).max(axis=1)
    chosen: list[int] = []
    is_left = np.ones(len(vectors), dtype=bool)
    for _ in range(min(SPREAD, len(vectors))):
        worth = np.where(is_left, np.maximum(distances, 1e-6) * weights, -1.0)
        best = int(worth.argmax())
        chosen.append(best)
        is_left[best] = False
        distances = np.minimum(distances, 1.0 - vectors @ vectors[best])
    return chosen + [place for place in range(len(vectors)) if is_left[place]]


def _spaced(places: Sequence[int], vectors: NDArray[np.float32]) -> list[int]:
    """The same places; one too near to any of the last ``GAP`` waits until it is not."""
    spaced: list[int] = []
    waiting: list[int] = []
    coming = iter(places)

    def fits(place: int) -> bool:
        last = spaced[-GAP:]
        return not last or float((vectors[last] @ vectors[place]).max()) < ALIKE

    while True:
        found = next((place for place in waiting[:_WAITING_SEEN] if fits(place)), None)
        if found is not None:
            waiting.remove(found)
        while found is None and (place := next(coming, None)) is not None:
            if fits(place):
                found = place
            else:
                waiting.append(place)
        if found is None:
            return _put_between(waiting, spaced, vectors)
        spaced.append(found)


def _put_between(waiting: Sequence[int], spaced: list[int], vectors: NDArray[np.float32]) -> list[int]:
    """What found no room behind its likes goes before or between them, as late as there is room; to the end if there is none."""
    for place in waiting:
        near = np.flatnonzero(vectors[spaced] @ vectors[place] >= ALIKE)
        edges = [-GAP, *near.tolist(), len(spaced) + GAP]
        rooms = [right - GAP + 1 for left, right in pairwise(edges) if right - left > 2 * GAP]
        spaced.insert(min(rooms[-1], len(spaced)) if rooms else len(spaced), place)
    return spaced


QUESTION_WORDS = ("who", "what", "when", "where", "which", "why", "how")


def slice_of(text: str, *, is_answered: bool) -> str:
    """The slice a question falls into: the word it asks with, and whether the model answers it or says that it cannot."""
    words = text.lower().split()
    asked = next((word for word in words if word.strip("¿?,.:;'\"") in QUESTION_WORDS), "other").strip("¿?,.:;'\"")
    return f"{asked}, {'answered' if is_answered else 'said not answerable'}"


def score_slices(rows: Sequence[tuple[str, float]]) -> dict[str, float]:
    """``(slice, score)`` per test question -> mean score per slice; slices of too few questions are left out."""
    found: dict[str, list[float]] = {}
    for name, score in rows:
        found.setdefault(name, []).append(score)
    return {name: sum(scores) / len(scores) for name, scores in found.items() if len(scores) >= _FEW}
