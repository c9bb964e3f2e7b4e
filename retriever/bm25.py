"""The word half of an index: BM25 scores (bm25s) over passages kept as token ids, so that a change only counts again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retriever.types import RetrieverError
from retriever.words import stems

if TYPE_CHECKING:
    import bm25s

TOKENS, OFFSETS, VOCABULARY, SCORES = "tokens.npy", "offsets.npy", "vocabulary.json", "bm25"
_K1, _B = 1.5, 0.75


def _rarity(passages: int, holding: NDArray[np.int64]) -> NDArray[np.float64]:
    rarity: NDArray[np.float64] = np.log1p((passages - holding + 0.5) / (holding + 0.5))
    return rarity


class WordIndex:
    """BM25 in Lucene's form (k1 1.5, b 0.75; Robertson and Zaragoza, 2009) over passages addressed by position from 0.

    ``tokens[offsets[i]:offsets[i + 1]]`` are the vocabulary ids of the stems of passage ``i``.
    """

    def __init__(self, vocabulary: dict[str, int], tokens: NDArray[np.int32], offsets: NDArray[np.int64]) -> None:
        self._vocabulary = vocabulary
        self._tokens = tokens
        self._offsets = offsets
        self._scores: bm25s.BM25 | None = None

    @classmethod
    def empty(cls) -> "WordIndex":
        return cls({}, np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def change(self, *, keep: NDArray[np.bool_], add: Sequence[str]) -> None:
        """Drop the passages where ``keep`` is false, append ``add``, and count again; nothing kept is read anew."""
        lengths = np.diff(self._offsets)
        tokens = [self._tokens[np.repeat(keep, lengths)]]
        sizes = [lengths[keep]]
        for found in stems(add):
            ids = [self._vocabulary.setdefault(stem, len(self._vocabulary)) for stem in found]
            tokens.append(np.array(ids, dtype=np.int32))
            sizes.append(np.array([len(ids)], dtype=np.int64))
        self._tokens = np.concatenate(tokens)
        self._offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.concatenate(sizes))])
        self._count()

    def _count(self) -> None:
        """Score every (stem, passage) pair as bm25s would, in a few array passes instead of its loop over passages."""
        import bm25s

        if not len(self._tokens):
            self._scores = None
            return
        lengths = np.diff(self._offsets)
        passages = len(self)
        pairs = self._tokens.astype(np.int64) * passages + np.repeat(np.arange(passages), lengths)
        pairs, frequency = np.unique(pairs, return_counts=True)
        stem, passage = np.divmod(pairs, passages)
        holding = np.bincount(stem, minlength=len(self._vocabulary))
        rarity = _rarity(passages, holding)
        saturation = _K1 * (1 - _B + _B * lengths / lengths.mean())
        scores = bm25s.BM25(k1=_K1, b=_B, method="lucene")
        scores.scores = {
            "data": (rarity[stem] * frequency / (saturation[passage] + frequency)).astype(np.float32),
            "indices": passage.astype(np.int32),
            "indptr": np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(holding)]),
            "num_docs": passages,
        }
        scores.nonoccurrence_array = None
        scores.vocab_dict = {}  # the stems are saved with the token ids
        self._scores = scores

    def scores(self, question: str) -> NDArray[np.float32]:
        """Every passage's score by position, ``(len(self),)``; 0 for one that shares no word with ``question``."""
        known = self._known(question)
        if self._scores is None or not known:
            return np.zeros(len(self), dtype=np.float32)
        return self._scores.get_scores_from_ids(sorted(known.values()))

    def rarity(self, question: str) -> dict[str, float]:
        """The stems of ``question`` that some passage holds, with the weight BM25 gives each: the rarer, the more."""
        if self._scores is None:
            return {}
        pointers = self._scores.scores["indptr"]
        holding = {stem: int(pointers[id + 1] - pointers[id]) for stem, id in self._known(question).items()}
        return {stem: float(_rarity(len(self), np.array(count))) for stem, count in holding.items() if count}

    def _known(self, question: str) -> dict[str, int]:
        return {stem: self._vocabulary[stem] for stem in next(stems([question])) if stem in self._vocabulary}

    def save(self, folder: Path) -> None:
        """Write plain arrays and JSON into ``folder``; no file of it is a pickle."""
        for name, array in ((TOKENS, self._tokens), (OFFSETS, self._offsets)):
            with (folder / name).open("wb") as file:
                np.save(file, array, allow_pickle=False)
        (folder / VOCABULARY).write_text(json.dumps(list(self._vocabulary), ensure_ascii=False), encoding="utf-8")
        if self._scores is not None:
            self._scores.save(folder / SCORES, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> "WordIndex":
        """Raises :class:`RetrieverError`, ``OSError`` or ``ValueError`` when the files are damaged or do not fit together."""
        import bm25s

        stems_saved = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
        index = cls(
            {stem: number for number, stem in enumerate(stems_saved)},
            np.load(folder / TOKENS, allow_pickle=False),
            np.load(folder / OFFSETS, allow_pickle=False),
        )
        index._check()
        if len(index._tokens):
            index._scores = bm25s.BM25.load(folder / SCORES, load_vocab=False, allow_pickle=False, show_progress=False)
            index._check_scores(index._scores.scores)
        return index

    def _check(self) -> None:
        offsets, tokens = self._offsets, self._tokens
        whole = (
            offsets.ndim == tokens.ndim == 1
            and offsets.dtype == np.int64
            and tokens.dtype == np.int32
            and len(offsets) > 0
            and offsets[0] == 0
            and offsets[-1] == len(tokens)
            and bool(np.all(np.diff(offsets) >= 0))
            and (not len(tokens) or 0 <= int(tokens.min()) <= int(tokens.max()) < len(self._vocabulary))
        )
        if not whole:
            raise RetrieverError("The index's words are damaged.")

    def _check_scores(self, scores: "dict[str, NDArray[np.float32]]") -> None:
        pointers, indices = scores["indptr"], scores["indices"]
        whole = (
            scores["num_docs"] == len(self)
            and len(pointers) == len(self._vocabulary) + 1
            and bool(np.all(np.diff(pointers) >= 0))
            and pointers[-1] == len(indices) == len(scores["data"])
            and 0 <= int(indices.min()) <= int(indices.max()) < len(self)
        )
        if not whole:
            raise RetrieverError("The index's word scores are damaged.")


def best_of(scores: NDArray[np.float32], *, k: int) -> NDArray[np.intp]:
    """Positions of at most ``k`` of the ``scores`` that are not 0, best first, ties by position."""
    found = np.flatnonzero(scores)
    if len(found) > k:
        found = found[np.argpartition(-scores[found], k - 1)[:k]]
    return found[np.lexsort((found, -scores[found]))]
