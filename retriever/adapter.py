"""What labels teach a retriever whose encoder stays frozen: a low-rank change of the question's vector, and how much words count.

Passages keep their vectors, so nothing is embedded again. Since ``(Wq q) . (Wp p) = q . (Wq' Wp p)``, a linear change of the
question's side alone can say whatever a linear change of both sides could, but for the length of the vectors.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.reranker import Reranker
from retriever.types import RetrieverError

WEIGHTS, SETTINGS = "adapter.safetensors", "retriever.json"
FALSE_NEGATIVE = 0.95
"""A passage that scores this share of the right one's cosine may be right too and is no negative (Moreira et al., 2024)."""


@dataclass(frozen=True)
class AdapterConfig:
    """``temperature`` divides cosines in the loss; ``keep`` pulls the changed question back to where it was."""

    rank: int = 16
    steps: int = 60
    learning_rate: float = 0.01
    temperature: float = 0.02
    keep: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Lesson:
    """One labelled question by rows: ``question`` into the question vectors, the others into the passage vectors."""

    question: int
    positives: tuple[int, ...]
    negatives: tuple[int, ...] = ()


class Adapter:
    """``question -> question + (question @ down) @ up``, made length 1 again, and how its rankings are put together.

    ``words_weight`` is BM25's share in the fusion; ``echo`` how much the first passages found say in a second search (0: there is none);
    ``reranker`` orders anew what was found, or is None.
    """

    def __init__(
        self,
        down: NDArray[np.float32],
        up: NDArray[np.float32],
        *,
        embedder_identity: str,
        words_weight: float = 1.0,
        echo: float = 0.0,
        reranker: Reranker | None = None,
    ) -> None:
        self.down, self.up = down, up
        self.embedder_identity = embedder_identity
        self.words_weight, self.echo = words_weight, echo
        self.reranker = reranker

    @property
    def dimension(self) -> int:
        return int(self.down.shape[0])

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Adapted question vectors, ``(n, d)`` rows of length 1 like those that came."""
        changed = vectors + (vectors @ self.down) @ self.up
        norms = np.linalg.norm(changed, axis=1, keepdims=True)
        return (changed / np.where(norms > 0, norms, 1.0)).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Safetensors and JSON into the existing ``folder``."""
        from safetensors.numpy import save_file

        save_file({"down": np.ascontiguousarray(self.down), "up": np.ascontiguousarray(self.up)}, folder / WEIGHTS)
        about = {
            "kind": "adapter",
            "embedder": self.embedder_identity,
            "words_weight": self.words_weight,
            "echo": self.echo,
            "reranker": self.reranker.to_json() if self.reranker is not None else None,
        }
        (folder / SETTINGS).write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, embedder_identity: str) -> "Adapter":
        """Raises :class:`RetrieverError` for damage, values that are no numbers, or an adapter of another embedder."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            about = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            tensors = load_file(folder / WEIGHTS)
            down, up = tensors["down"], tensors["up"]
            weight, echo = float(about["words_weight"]), float(about["echo"])
            learned = about.get("reranker")  # what was saved before there were rerankers has none
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise RetrieverError(f"The retriever in {folder} cannot be read; restore it from a backup.") from error
        if about.get("embedder") != embedder_identity:
            raise RetrieverError(
                f"The retriever in {folder} was trained for the embedder {about.get('embedder')}, not {embedder_identity}."
            )
        is_finite = np.isfinite(down).all() and np.isfinite(up).all()
        if down.shape != up.T.shape or not (is_finite and 0 <= weight <= 100 and 0 <= echo <= 100):
            raise RetrieverError(f"The retriever in {folder} is damaged; restore it from a backup.")
        reranker = Reranker.from_json(learned, folder=folder) if learned is not None else None
        return cls(down, up, embedder_identity=embedder_identity, words_weight=weight, echo=echo, reranker=reranker)


def train_adapter(
    questions: NDArray[np.float32],
    passages: NDArray[np.float32],
    lessons: Sequence[Lesson],
    *,
    embedder_identity: str,
    config: AdapterConfig,
    words_weight: float = 1.0,
) -> Adapter:
    """Fit on ``lessons`` with the multiple-negatives ranking loss (Henderson et al., 2017) over mined hard negatives.

    ``questions`` ``(n, d)`` and ``passages`` ``(m, d)`` are rows of length 1. Every passage given is a negative of every lesson,
    but for those that may be right: give the right and rejected ones of all lessons and those most like the questions.
    """
    import torch

    wanted, allowed = mark(questions, passages, lessons)
    generator = torch.Generator().manual_seed(config.seed)
    asked = torch.from_numpy(questions[[lesson.question for lesson in lessons]])
    pool = torch.from_numpy(passages)
    dimension = questions.shape[1]
    down = (torch.randn(dimension, config.rank, generator=generator) / dimension**0.5).requires_grad_()
    up = torch.zeros(config.rank, dimension, requires_grad=True)
    optimizer = torch.optim.Adam([down, up], lr=config.learning_rate)
    is_right, may_count = torch.from_numpy(wanted), torch.from_numpy(allowed)
    for _ in range(config.steps):
        changed = torch.nn.functional.normalize(asked + (asked @ down) @ up, dim=1)
        scores = (changed @ pool.T / config.temperature).masked_fill(~may_count, -1e9)
        # Several right passages of one question each compete with the negatives, not with one another.
        against = torch.logsumexp(scores.masked_fill(is_right, -1e9), dim=1, keepdim=True)
        losses = torch.nn.functional.softplus(against - scores)[is_right]
        loss = losses.mean() + config.keep * (changed - asked).pow(2).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Adapter(
        down.detach().numpy(), up.detach().numpy(), embedder_identity=embedder_identity, words_weight=words_weight
    )


def mark(
    questions: NDArray[np.float32], passages: NDArray[np.float32], lessons: Sequence[Lesson]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each lesson, ``(len(lessons), m)``: which passages are right, and which may count at all.

    A passage counts as wrong only below 95 % of the lowest right one's cosine; one that a person rejected always does.
    """
    cosines = questions[[lesson.question for lesson in lessons]] @ passages.T
    wanted = np.zeros(cosines.shape, dtype=np.bool_)
    allowed = np.zeros(cosines.shape, dtype=np.bool_)
    for number, lesson in enumerate(lessons):
        allowed[number] = cosines[number] < FALSE_NEGATIVE * float(cosines[number, list(lesson.positives)].min())
        wanted[number, list(lesson.positives)] = True
        allowed[number, [*lesson.positives, *lesson.negatives]] = True
    return wanted, allowed


@dataclass(frozen=True)
class Spread:
    """How alike embeddings are: the mean cosine of pairs, and the variance left after their mean is taken away."""

    mean_cosine: float
    variance: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)


MOST_ALIKE = 0.9
LEAST_VARIANCE = 0.01


def measure_spread(vectors: NDArray[np.float32]) -> Spread:
    """Of ``(n, d)`` rows of length 1, n at least 2. Healthy sentence embeddings of different texts have cosines near 0."""
    total = vectors.sum(axis=0, dtype=np.float64)
    count = len(vectors)
    squares = float(np.einsum("ij,ij->", vectors, vectors, dtype=np.float64))
    mean_cosine = (float(total @ total) - squares) / (count * (count - 1))
    return Spread(mean_cosine, squares / count - float(total @ total) / count**2)


def find_collapse(vectors: NDArray[np.float32]) -> str:
    """A sentence when the vectors have collapsed (all texts look alike, so that no search can tell them apart); else ""."""
    if len(vectors) < 2:
        return ""
    if not np.isfinite(vectors).all():
        return "its embeddings hold values that are not numbers"
    spread = measure_spread(vectors)
    if spread.mean_cosine > MOST_ALIKE or spread.variance < LEAST_VARIANCE:
        return (
            f"it has collapsed: the embeddings of different texts are alike (mean cosine {spread.mean_cosine:.2f}, at most "
            f"{MOST_ALIKE} is accepted; variance {spread.variance:.3f}, at least {LEAST_VARIANCE})"
        )
    return ""
