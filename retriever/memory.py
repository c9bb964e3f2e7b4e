"""A memory of labelled questions: what people said of a question's passages moves the same passages for like questions at once.

Nothing is trained. A new question is compared with the remembered ones; each near enough lends its right passages a lift and its
rejected ones the opposite, the more the nearer (a weighted k-nearest-neighbours vote; Cover and Hart, 1967).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.70
"""Cosine of two questions' embeddings from which one speaks for the other; docs/measurements.md says how it was chosen."""
FULL_AT = 0.95
"""Cosine from which two questions count as one: the remembered passage then comes first whatever else was found."""
STEEPNESS = 6
"""Two questions have their right passage in common about one time in ten at a cosine of 0.75, one in two at 0.87: a steep rise."""
NEIGHBOURS = 8

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Remembered:
    """One labelled question: ``right`` and ``rejected`` are passage ids, ``label`` the caller's key of the decision."""

    label: int
    text: str
    right: tuple[int, ...] = ()
    rejected: tuple[int, ...] = ()


@dataclass(frozen=True)
class Lift:
    """How much a passage gains: 1 puts it first whatever else was found, -1 takes away all it has. ``label`` weighs most."""

    weight: float
    label: int


Lifts = Mapping[int, Lift]
"""Passage id -> its lift for one question."""


class Memory:
    """Remembered questions with their embeddings, ``(len(remembered), d)`` rows of length 1. Never changed once made."""

    def __init__(self, remembered: Sequence[Remembered], vectors: NDArray[np.float32]) -> None:
        self.remembered = tuple(remembered)
        self._vectors = vectors
        self._by_text = {item.text: row for row, item in enumerate(self.remembered)}

    @classmethod
    def empty(cls) -> "Memory":
        return cls((), np.zeros((0, 0), dtype=np.float32))

    def __len__(self) -> int:
        return len(self.remembered)

    def with_remembered(self, remembered: Iterable[Remembered], *, encode: Encode) -> "Memory":
        """A memory of exactly these; ``encode`` is called once, with the texts that this one does not know."""
        items = tuple(item for item in remembered if item.right or item.rejected)
        if not items:
            return Memory.empty()
        new = list(dict.fromkeys(item.text for item in items if item.text not in self._by_text))
        encoded = dict(zip(new, encode(new), strict=True)) if new else {}
        rows = [
            encoded[item.text] if item.text in encoded else self._vectors[self._by_text[item.text]] for item in items
        ]
        return Memory(items, np.stack(rows).astype(np.float32))

    def recall(self, vectors: NDArray[np.float32], *, threshold: float = THRESHOLD) -> list[dict[int, Lift]]:
        """For each question's embedding, ``(n, d)`` rows of length 1, the lifts of the passages that its neighbours speak of."""
        if not self.remembered:
            return [{} for _ in vectors]
        return [self._recall_one(cosines, threshold) for cosines in vectors @ self._vectors.T]

    def _recall_one(self, cosines: NDArray[np.float32], threshold: float) -> dict[int, Lift]:
        near = np.flatnonzero(cosines >= threshold)
        # Of equally near ones the newest label comes first, so that the last word of two people counts.
        near = near[np.lexsort((-np.array([self.remembered[row].label for row in near]), -cosines[near]))][:NEIGHBOURS]
        votes: dict[int, list[tuple[float, int]]] = {}
        for row in near:
            item = self.remembered[row]
            weight = min(1.0, (float(cosines[row]) - threshold) / (FULL_AT - threshold)) ** STEEPNESS
            for passage in item.right:
                votes.setdefault(passage, []).append((weight, item.label))
            for passage in item.rejected:
                votes.setdefault(passage, []).append((-weight, item.label))
        return {passage: _tally(cast) for passage, cast in votes.items()}


def _tally(cast: Sequence[tuple[float, int]]) -> Lift:
    """The strongest vote decides, the first of equals: many lukewarm neighbours do not add up to a sure one."""
    weight, label = max(cast, key=lambda vote: abs(vote[0]))
    return Lift(weight, label)
