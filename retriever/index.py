"""Hybrid search: vectors and words side by side, their two rankings fused by reciprocal rank."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.bm25 import WordIndex, best_of
from retriever.fusion import MOST, Found, fuse, lifted
from retriever.index_files import read_index, write_index
from retriever.memory import Lifts
from retriever.reranker import ECHOED, Candidates, Reranker, features_of
from retriever.types import Hit, Passage, Report, RetrieverError
from retriever.vectors import HNSW_ABOVE, VectorIndex
from retriever.words import matching_words, title_scores

_DEPTH = 100  # how far down each ranking the fusion looks


def passage_text(passage: Passage) -> str:
    """What is embedded and matched for a passage: its title, which often names the subject, above its text."""
    return f"{passage.title}\n{passage.text}" if passage.title else passage.text


class HybridIndex:
    """Passages with their vectors and words. Searching is safe from several threads; changing is for one at a time."""

    def __init__(
        self, passages: Sequence[Passage], *, vectors: VectorIndex, words: WordIndex, embedder_identity: str
    ) -> None:
        self.embedder_identity = embedder_identity
        self._passages: list[Passage] = list(passages)  # by position, the removed ones included until the next change
        self._position = {passage.id: position for position, passage in enumerate(self._passages)}
        self._alive = np.ones(len(self._passages), dtype=np.bool_)
        self._vectors = vectors
        self._words = words

    @classmethod
    def build(
        cls,
        passages: Sequence[Passage],
        vectors: NDArray[np.float32],
        *,
        embedder_identity: str,
        report: Report | None = None,
        hnsw_above: int = HNSW_ABOVE,
    ) -> "HybridIndex":
        """An index of ``passages``, whose ``vectors`` are float32 ``(len(passages), d)`` rows of length 1 (see `passage_text`).

        Raises :class:`RetrieverError` for repeated ids or vectors of another shape.
        """
        _check_new(passages, vectors, held={}, dimension=None)
        _report(report, 0.0, f"Indexing the vectors of {len(passages):,} passages")
        ids = np.array([passage.id for passage in passages], dtype=np.int64)
        vector_index = VectorIndex.build(ids, np.ascontiguousarray(vectors, dtype=np.float32), hnsw_above=hnsw_above)
        _report(report, 0.5, f"Indexing the words of {len(passages):,} passages")
        words = WordIndex.empty()
        words.change(keep=np.zeros(0, dtype=np.bool_), add=[passage_text(passage) for passage in passages])
        _report(report, 1.0, f"Indexed {len(passages):,} passages")
        return cls(passages, vectors=vector_index, words=words, embedder_identity=embedder_identity)

    def __len__(self) -> int:
        return len(self._position)

    def __contains__(self, id: object) -> bool:
        return id in self._position

    @property
    def ids(self) -> list[int]:
        """The ids of the passages held, in the order they came."""
        return list(self._position)

    @property
    def dimension(self) -> int:
        return self._vectors.dimension

    @property
    def kind(self) -> str:
        """``flat`` or ``hnsw``."""
        return self._vectors.kind

    def passage(self, id: int) -> Passage:
        """The passage held under ``id``; raises ``KeyError``."""
        return self._passages[self._position[id]]

    def add(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        """Append ``passages``: vectors join the FAISS index, words are counted again, nothing held is embedded or read anew."""
        _check_new(passages, vectors, held=self._position, dimension=self.dimension)
        if not passages:
            return
        ids = np.array([passage.id for passage in passages], dtype=np.int64)
        self._vectors.add(ids, np.ascontiguousarray(vectors, dtype=np.float32))
        self._change(add=passages)

    def remove(self, ids: Collection[int]) -> None:
        """Take passages out; they are in no result from now on. Ids that are not held are passed over.

        Word statistics still count them until the next :meth:`add` or :meth:`save`.
        """
        gone = [id for id in dict.fromkeys(ids) if id in self._position]
        if not gone:
            return
        self._vectors.remove(gone)
        self._alive[[self._position.pop(id) for id in gone]] = False

    def _change(self, *, add: Sequence[Passage] = ()) -> None:
        self._words.change(keep=self._alive, add=[passage_text(passage) for passage in add])
        kept = [passage for passage, alive in zip(self._passages, self._alive, strict=True) if alive]
        self._passages = [*kept, *add]
        self._position = {passage.id: position for position, passage in enumerate(self._passages)}
        self._alive = np.ones(len(self._passages), dtype=np.bool_)

    def save(self, folder: Path) -> None:
        """Write the index into the existing ``folder``: no pickle, sha256 of every file in ``index.json``."""
        if not self._alive.all():
            self._change()
        write_index(
            folder, self._passages, vectors=self._vectors, words=self._words, embedder_identity=self.embedder_identity
        )

    @classmethod
    def load(cls, folder: Path, *, embedder_identity: str) -> "HybridIndex":
        """Read what :meth:`save` wrote. Raises :class:`RetrieverError` for damage or for an index of another embedder."""
        passages, vectors, words = read_index(folder, embedder_identity=embedder_identity)
        return cls(passages, vectors=vectors, words=words, embedder_identity=embedder_identity)

    def search(self, text: str, vector: NDArray[np.float32], *, k: int) -> list[Hit]:
        """The ``k`` best passages for a question and its vector ``(d,)``; fewer when fewer are held."""
        return self.search_many([text], np.asarray(vector, dtype=np.float32).reshape(1, -1), k=k)[0]

    def search_many(
        self,
        texts: Sequence[str],
        vectors: NDArray[np.float32],
        *,
        k: int,
        lifts: Sequence[Lifts] | None = None,
        words_weight: float = 1.0,
        reranker: Reranker | None = None,
    ) -> list[list[Hit]]:
        """:meth:`search` for many questions at once, ``vectors`` being ``(len(texts), d)``.

        ``lifts`` are what a :class:`~retriever.memory.Memory` recalls for each; ``words_weight`` weighs the ranking by words
        against the one by vectors, which counts 1; ``reranker`` orders what both found anew, before the lifts.
        """
        moved = lifts if lifts is not None else [{} for _ in texts]
        found = self._found(texts, vectors, k=k, words_weight=words_weight, reranker=reranker)
        return [
            [self._hit(id, rank, one, score=score, lifts=lift) for rank, (id, score) in enumerate(best[: max(k, 0)], 1)]
            for one, lift in zip(found, moved, strict=True)
            for best in [lifted(one.ranked, lift, held=self._position)]
        ]

    def search_ids(
        self,
        texts: Sequence[str],
        vectors: NDArray[np.float32],
        *,
        k: int,
        words_weight: float = 1.0,
        reranker: Reranker | None = None,
    ) -> list[list[int]]:
        """The ids that :meth:`search_many` ranks, best first, without the work of explaining each hit."""
        found = self._found(texts, vectors, k=k, words_weight=words_weight, reranker=reranker)
        return [list(one.ranked)[:k] for one in found]

    def candidates(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> list[Candidates]:
        """What each question is chosen from, as a :class:`~retriever.reranker.Reranker` sees it; some passage must be held."""
        found = self._found(texts, vectors, k=_DEPTH, words_weight=1.0, reranker=None)
        return [
            self._candidates(one, vector, self._word_scores(one.text))
            for one, vector in zip(found, vectors, strict=True)
        ]

    def _found(
        self,
        texts: Sequence[str],
        vectors: NDArray[np.float32],
        *,
        k: int,
        words_weight: float,
        reranker: Reranker | None,
    ) -> Iterator[Found]:
        """What each text finds, one by one."""
        if vectors.shape != (len(texts), self.dimension):
            raise RetrieverError(
                f"{len(texts)} questions of {self.dimension} dimensions were expected, vectors of shape {vectors.shape} came; "
                "embed them with the index's own embedder."
            )
        depth = min(max(_DEPTH, k), len(self))
        if depth == 0 or k < 1 or not texts:
            yield from (Found(text, {}, {}, {}) for text in texts)
            return
        scores, ids = self._vectors.search(np.ascontiguousarray(vectors, dtype=np.float32), k=depth)
        for text, vector, row_ids, row_scores in zip(texts, vectors, ids, scores, strict=True):
            dense, word_scores = _by_id(row_ids, row_scores), self._word_scores(text)
            by_words = dict(self._best_by_words(word_scores, k=depth))
            found = Found(text, dense, by_words, fuse(dense, by_words, words_weight=words_weight, order=self._position))
            if reranker is not None:
                found = found.dealt(reranker.deal(self._candidates(found, vector, word_scores), found.ranked))
            yield found

    def _candidates(self, found: Found, vector: NDArray[np.float32], word_scores: NDArray[np.float32]) -> Candidates:
        ids = tuple(found.ranked)
        positions = [self._position[id] for id in ids]
        features = features_of(
            fused=list(found.ranked.values()),
            question=vector,
            vectors=self.vectors_of(ids),
            words=word_scores[positions],
            titles=title_scores(self._words.rarity(found.text), [self._passages[place].title for place in positions]),
        )
        return Candidates(ids, features)

    def echoed(
        self, texts: Sequence[str], vectors: NDArray[np.float32], *, weight: float, words_weight: float = 1.0
    ) -> NDArray[np.float32]:
        """Question vectors moved towards the first passages found for them (Rocchio, 1971, without a judge), ``(n, d)`` of length 1."""
        found = self.search_ids(texts, vectors, k=ECHOED, words_weight=words_weight)
        moved = np.array(vectors, dtype=np.float32)
        for row, ids in enumerate(found):
            shares = 1 / np.arange(1, len(ids) + 1, dtype=np.float32)
            if len(ids):
                moved[row] += weight * (shares / shares.sum()) @ self.vectors_of(ids)
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        return (moved / np.where(norms > 0, norms, 1.0)).astype(np.float32)

    def search_ids_by_vector(self, vectors: NDArray[np.float32], *, k: int) -> list[list[int]]:
        """For each of the vectors ``(n, d)`` the ids of its ``k`` nearest passages."""
        _, ids = self._vectors.search(np.ascontiguousarray(vectors, dtype=np.float32), k=min(k, len(self)))
        return [[int(id) for id in row if id >= 0] for row in ids]

    def vectors_of(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The vectors of the passages ``ids``, ``(len(ids), d)``; each must be held."""
        return self._vectors.vectors(ids)

    def search_vectors(self, vector: NDArray[np.float32], *, k: int) -> list[tuple[int, float]]:
        """Ids and cosines of the ``k`` best passages by vector alone."""
        if not len(self) or k < 1:
            return []
        question = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        scores, ids = self._vectors.search(question, k=min(k, len(self)))
        return list(_by_id(ids[0], scores[0]).items())

    def search_words(self, text: str, *, k: int) -> list[tuple[int, float]]:
        """Ids and BM25 scores of the ``k`` best passages by words alone."""
        return self._best_by_words(self._word_scores(text), k=k)

    def _word_scores(self, text: str) -> NDArray[np.float32]:
        """Every position's BM25 score, 0 where nothing is held any more."""
        scores = self._words.scores(text)
        scores[~self._alive] = 0.0
        return scores

    def _best_by_words(self, scores: NDArray[np.float32], *, k: int) -> list[tuple[int, float]]:
        return [(self._passages[position].id, float(scores[position])) for position in best_of(scores, k=k)]

    def _hit(self, id: int, rank: int, found: Found, *, score: float, lifts: Lifts) -> Hit:
        lift = lifts.get(id)
        return Hit(
            passage=id,
            rank=rank,
            score=min(1.0, score / MOST),
            dense_score=found.dense.get(id),
            bm25_score=found.by_words.get(id),
            terms=matching_words(found.text, passage_text(self.passage(id))),
            lift=lift.weight if lift is not None else 0.0,
            lift_label=lift.label if lift is not None else None,
        )


def _by_id(ids: NDArray[np.int64], scores: NDArray[np.float32]) -> dict[int, float]:
    return {int(id): float(score) for id, score in zip(ids, scores, strict=True) if id >= 0}


def _report(report: Report | None, fraction: float, message: str) -> None:
    if report is not None:
        report(fraction, message)


def _check_new(
    passages: Sequence[Passage], vectors: NDArray[np.float32], *, held: Collection[int], dimension: int | None
) -> None:
    if vectors.ndim != 2 or len(vectors) != len(passages) or vectors.shape[1] != (dimension or vectors.shape[1]):
        expected = f"({len(passages)}, {dimension or 'd'})"
        raise RetrieverError(
            f"Vectors of shape {expected} were expected, {vectors.shape} came; embed every passage once."
        )
    if not np.isfinite(vectors).all():
        raise RetrieverError("A vector holds a value that is not a number; embed the passages again.")
    seen = set(held)
    for passage in passages:
        if passage.id in seen:
            raise RetrieverError(f"Passage {passage.id} is in the index already; remove it first.")
        seen.add(passage.id)
