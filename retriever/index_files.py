"""An index as files: FAISS bytes, plain arrays, JSON; each with its sha256, checked before a byte of it is used."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from retriever.bm25 import WordIndex
from retriever.types import Passage, RetrieverError
from retriever.vectors import VectorIndex

INDEX, VECTORS, PASSAGES = "index.json", "vectors.faiss", "passages.jsonl"
_FORMAT = 1
_REBUILD = "rebuild it with `errata index PROJECT`"


def write_index(
    folder: Path, passages: Sequence[Passage], *, vectors: VectorIndex, words: WordIndex, embedder_identity: str
) -> None:
    """Write everything, ``index.json`` last."""
    vectors.save(folder / VECTORS)
    words.save(folder)
    with (folder / PASSAGES).open("w", encoding="utf-8") as file:
        for passage in passages:
            row = {"id": passage.id, "title": passage.title, "text": passage.text}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    about = {
        "format": _FORMAT,
        "embedder": embedder_identity,
        "dimension": vectors.dimension,
        "passages": len(passages),
        "kind": vectors.kind,
        "hnsw_above": vectors.hnsw_above,
        "dropped": sorted(vectors.dropped),
        "files": {path.relative_to(folder).as_posix(): _sha256(path) for path in _files(folder)},
    }
    (folder / INDEX).write_text(json.dumps(about, indent=1), encoding="utf-8")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (INDEX, "manifest.json"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_index(folder: Path, *, embedder_identity: str) -> tuple[list[Passage], VectorIndex, WordIndex]:
    """The parts of the index in ``folder``. Raises :class:`RetrieverError` for damage and for another embedder's index."""
    about = _read_about(folder)
    if about["embedder"] != embedder_identity:
        raise RetrieverError(
            f"The index was built with the embedder {about['embedder']}, but {embedder_identity} is in use; {_REBUILD}."
        )
    try:
        _check_hashes(folder, about["files"])
        passages = _read_passages(folder / PASSAGES)
        vectors = VectorIndex.load(folder / VECTORS, hnsw_above=int(about["hnsw_above"]), dropped=set(about["dropped"]))
        words = WordIndex.load(folder)
    except (RetrieverError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RetrieverError(f"The index in {folder} cannot be read ({error}); {_REBUILD}.") from error
    ids = {passage.id for passage in passages}
    if not len(ids) == len(passages) == about["passages"] == len(words) or vectors.ids() != ids:
        raise RetrieverError(f"The parts of the index in {folder} do not belong together; {_REBUILD}.")
    if vectors.dimension != about["dimension"]:
        raise RetrieverError(f"The vectors of the index in {folder} have another length than recorded; {_REBUILD}.")
    return passages, vectors, words


def _read_about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RetrieverError(f"There is no readable index in {folder}; {_REBUILD}.") from error
    expected = {"format", "embedder", "dimension", "passages", "hnsw_above", "dropped", "files"}
    if not isinstance(about, dict) or not expected <= about.keys() or about["format"] != _FORMAT:
        raise RetrieverError(f"The index in {folder} is of another version or damaged; {_REBUILD}.")
    return about


def _check_hashes(folder: Path, recorded: dict[str, str]) -> None:
    present = {path.relative_to(folder).as_posix() for path in _files(folder)}
    odd = sorted(present ^ recorded.keys())
    if odd:
        raise RetrieverError(f"{odd[0]} is {'missing' if odd[0] in recorded else 'not part of it'}")
    for name, sha256 in recorded.items():
        if _sha256(folder / name) != sha256:
            raise RetrieverError(f"{name} is damaged")


def _read_passages(path: Path) -> list[Passage]:
    with path.open(encoding="utf-8") as file:
        rows = (json.loads(line) for line in file)
        return [Passage(id=int(row["id"]), text=row["text"], title=row["title"]) for row in rows]
