"""The vector half of an index: FAISS with inner product, flat while that is quick, HNSW above."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retriever.types import RetrieverError

if TYPE_CHECKING:
    import faiss

HNSW_ABOVE = 300_000
"""Passages above which a flat search, which reads every vector, gives way to HNSW (Malkov and Yashunin, 2018)."""
_NEIGHBOURS, _BUILD_WIDTH, _SEARCH_WIDTH = 32, 100, 160
_MOST_DROPPED = 0.1  # of an HNSW index, which cannot remove: beyond this share it is built anew from its own vectors


class VectorIndex:
    """Vectors of length 1 under the caller's integer keys; scores are cosines, -1 to 1."""

    def __init__(self, index: "faiss.IndexIDMap2", *, hnsw_above: int, dropped: set[int] | None = None) -> None:
        self._index = index
        self._hnsw_above = hnsw_above
        self.dropped = dropped if dropped is not None else set()

    @classmethod
    def build(
        cls, ids: NDArray[np.int64], vectors: NDArray[np.float32], *, hnsw_above: int = HNSW_ABOVE
    ) -> "VectorIndex":
        import faiss

        dimension = vectors.shape[1]
        inner: faiss.Index
        if len(vectors) > hnsw_above:
            graph = faiss.IndexHNSWFlat(dimension, _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            graph.hnsw.efConstruction = _BUILD_WIDTH
            graph.hnsw.efSearch = _SEARCH_WIDTH
            inner = graph
        else:
            inner = faiss.IndexFlatIP(dimension)
        index = faiss.IndexIDMap2(inner)
        index.add_with_ids(vectors, ids)
        return cls(index, hnsw_above=hnsw_above)

    def __len__(self) -> int:
        return int(self._index.ntotal) - len(self.dropped)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    @property
    def hnsw_above(self) -> int:
        return self._hnsw_above

    @property
    def kind(self) -> str:
        """``flat`` or ``hnsw``."""
        import faiss

        return "hnsw" if isinstance(faiss.downcast_index(self._index.index), faiss.IndexHNSWFlat) else "flat"

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Append; a flat index that grows past the limit becomes HNSW, from the vectors it holds."""
        if (self.kind == "flat" and len(self) + len(ids) > self._hnsw_above) or self.dropped & set(ids.tolist()):
            old_ids, old_vectors = self._held()
            self._rebuild(np.concatenate([old_ids, ids]), np.concatenate([old_vectors, vectors]))
        else:
            self._index.add_with_ids(vectors, ids)

    def remove(self, ids: Collection[int]) -> None:
        """Take ``ids`` out at once: a flat index loses them, HNSW passes them over until enough are gone to build it anew."""
        import faiss

        if self.kind == "flat":
            self._index.remove_ids(faiss.IDSelectorBatch(np.array(sorted(ids), dtype=np.int64)))
            return
        self.dropped |= set(ids)
        if len(self.dropped) > _MOST_DROPPED * self._index.ntotal:
            self._rebuild(*self._held())

    def _rebuild(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self._index = VectorIndex.build(ids, vectors, hnsw_above=self._hnsw_above)._index
        self.dropped = set()

    def _held(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        import faiss

        ids = faiss.vector_to_array(self._index.id_map)
        vectors = self._index.index.reconstruct_n(0, self._index.ntotal)
        keep = ~np.isin(ids, np.array(sorted(self.dropped), dtype=np.int64))
        return ids[keep], vectors[keep]

    def ids(self) -> set[int]:
        return set(self._held_ids().tolist()) - self.dropped

    def _held_ids(self) -> NDArray[np.int64]:
        import faiss

        ids: NDArray[np.int64] = faiss.vector_to_array(self._index.id_map)
        return ids

    def vectors(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The vectors held under ``ids``, ``(len(ids), d)``."""
        rows = [self._index.reconstruct(int(id)) for id in ids]
        return np.stack(rows) if rows else np.zeros((0, self.dimension), dtype=np.float32)

    def search(self, vectors: NDArray[np.float32], *, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Cosines and ids, both ``(len(vectors), k)``, best first; id -1 where there are fewer than ``k``."""
        import faiss

        if not self.dropped:
            return self._index.search(vectors, k)
        selector = faiss.IDSelectorNot(faiss.IDSelectorBatch(np.array(sorted(self.dropped), dtype=np.int64)))
        parameters = faiss.SearchParametersHNSW(  # type: ignore[attr-defined]  # its stubs leave it out
            sel=selector, efSearch=_SEARCH_WIDTH
        )
        return self._index.search(vectors, k, params=parameters)

    def save(self, path: Path) -> None:
        """Our own write: ``faiss.write_index`` can report success on a full disk."""
        import faiss

        path.write_bytes(faiss.serialize_index(self._index).tobytes())

    @classmethod
    def load(cls, path: Path, *, hnsw_above: int, dropped: set[int]) -> "VectorIndex":
        """Raises :class:`RetrieverError` for bytes that are not an index of ours. Check the file's hash first: FAISS does not."""
        import faiss

        try:
            index = faiss.deserialize_index(np.frombuffer(path.read_bytes(), dtype=np.uint8))
        except (RuntimeError, MemoryError) as error:
            raise RetrieverError("The index's vectors are damaged.") from error
        if not isinstance(index, faiss.IndexIDMap2) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise RetrieverError("The index's vectors are not of a kind that Errata writes.")
        if not isinstance(faiss.downcast_index(index.index), (faiss.IndexFlat, faiss.IndexHNSWFlat)):
            raise RetrieverError("The index's vectors are not of a kind that Errata writes.")
        return cls(index, hnsw_above=hnsw_above, dropped=dropped)
