"""Two rankings made one by reciprocal rank, and what labels on like questions add to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from retriever.memory import Lift, Lifts

_CONSTANT = 60  # of Cormack, Clarke and Büttcher (2009), who found results insensitive to it
MOST = 2 / (_CONSTANT + 1)
"""The fused score of what is first in both rankings."""
_NO_LIFT = Lift(0.0, 0)


@dataclass(frozen=True)
class Found:
    """What one text found, each mapping best first: passage ids with their cosines, BM25 scores and fused scores."""

    text: str
    dense: Mapping[int, float]
    by_words: Mapping[int, float]
    ranked: Mapping[int, float]

    def dealt(self, ranked: Mapping[int, float]) -> "Found":
        return replace(self, ranked=ranked)


def fuse(
    dense: Mapping[int, float], by_words: Mapping[int, float], *, words_weight: float, order: Mapping[int, int]
) -> dict[int, float]:
    """Ids with their fused scores, 0 to :data:`MOST`, best first; ``order`` has every id's place among the passages."""
    fused: dict[int, float] = {}
    for ranking, weight in ((dense, 1.0), (by_words, words_weight)):
        for rank, id in enumerate(ranking, 1):
            fused[id] = fused.get(id, 0.0) + 2 * weight / (1 + words_weight) / (_CONSTANT + rank)
    # Equal sums (each first in one ranking) go to the nearer in meaning, then to the older passage.
    return {id: fused[id] for id in sorted(fused, key=lambda id: (-fused[id], -dense.get(id, -1.0), order[id]))}


def lifted(ranked: Mapping[int, float], lifts: Lifts, *, held: Mapping[int, int]) -> list[tuple[int, float]]:
    """Ids with their scores after the lifts, best first; a lifted passage joins even when nothing found it, if it is ``held``.

    No score falls below 0. Of equal ones the less lowered comes first, then what stood first in ``ranked``: passages that labels
    lower to 0 alike keep the order they were found in.
    """
    scores = dict(ranked)
    for id in sorted((id for id in lifts if id in held), key=lambda id: held[id]):
        scores[id] = max(0.0, scores.get(id, 0.0) + lifts[id].weight * MOST)
    return sorted(scores.items(), key=lambda item: (-item[1], -lifts.get(item[0], _NO_LIFT).weight))
