"""How alike a text and a passage are, by the passage's nearest sentence: a sign of whether the passage speaks of it at all."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retriever.embedder import Embedder
from retriever.splitter import sentences

KEPT = 4000
"""Passages whose sentence vectors are remembered, the last asked for: about 40 MB with vectors of 384 values when half of them are answers
of one sentence."""


class SentenceSimilarity:
    """Cosines of texts and their passages' nearest sentences. ``identity`` is the encoder's: cosines of two encoders differ."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    @property
    def identity(self) -> str:
        return self._embedder.identity

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """For each (text, passage) a cosine, -1 to 1, in order; 0 for a passage without words."""
        passages = {
            passage: self._known.pop(passage, None) for passage in dict.fromkeys(passage for _, passage in pairs)
        }
        self._embed({passage for passage, vectors in passages.items() if vectors is None}, into=passages)
        texts = list(dict.fromkeys(text for text, _ in pairs))
        vectors = dict(zip(texts, self._embedder.encode(texts), strict=True)) if texts else {}
        found = [_nearest(vectors[text], passages[passage]) for text, passage in pairs]
        self._known.update((passage, vectors) for passage, vectors in passages.items() if vectors is not None)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return found

    def _embed(self, passages: set[str], *, into: dict[str, NDArray[np.float32] | None]) -> None:
        ordered = sorted(passages)
        spans = [[passage[span.start : span.end] for span in sentences(passage)] for passage in ordered]
        vectors = self._embedder.encode([sentence for found in spans for sentence in found])
        ends = np.cumsum([len(found) for found in spans], dtype=np.intp)
        # Copies: a view of one passage's vectors would keep those of the whole call in memory.
        own = [piece.copy() for piece in np.split(vectors, ends[:-1])] if ordered else []
        into.update(zip(ordered, own, strict=True))


def _nearest(vector: NDArray[np.float32], sentence_vectors: NDArray[np.float32] | None) -> float:
    if sentence_vectors is None or not len(sentence_vectors):
        return 0.0
    return float((sentence_vectors @ vector).max())
