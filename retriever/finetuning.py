"""Fine-tuning the sentence encoder itself on labelled questions: the multiple-negatives ranking loss, a light loop.

Every passage has to be embedded again afterwards. ``benchmarks/retriever_learning.py`` measures it beside the adapter.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retriever.adapter import FALSE_NEGATIVE, find_collapse
from retriever.embedder import SentenceEmbedder
from retriever.types import Report, RetrieverError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class Triple:
    """A question, a passage that answers it, and passages that do not (rejected or mined), the hardest first."""

    text: str
    positive: str
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class TuningConfig:
    epochs: float = 3.0
    batch: int = 16
    learning_rate: float = 2e-5
    temperature: float = 0.05
    max_tokens: int = 128
    warmup: float = 0.1
    seed: int = 0


def hard_negatives(
    cosines: NDArray[np.float32], positive: int, *, rejected: Sequence[int] = (), count: int = 1
) -> list[int]:
    """``count`` passages for one question by its cosines ``(m,)`` with all: the rejected ones, then the nearest that are safe.

    Safe is below 95 % of the right one's cosine: nearer ones are too often right as well (Moreira et al., 2024).
    """
    limit = FALSE_NEGATIVE * float(cosines[positive])
    nearest = (int(row) for row in np.argsort(-cosines) if cosines[row] < limit and row != positive)
    chosen = list(dict.fromkeys(row for row in rejected if row != positive))[:count]
    while len(chosen) < count and (row := next(nearest, None)) is not None:
        if row not in chosen:
            chosen.append(row)
    return chosen


def fine_tune(
    embedder: SentenceEmbedder, triples: Sequence[Triple], *, config: TuningConfig, report: Report | None = None
) -> SentenceEmbedder:
    """Train the embedder's model in place and return it under a new identity. Other questions' passages in a batch are negatives.

    Raises :class:`RetrieverError` when it collapses: the model is then to be thrown away.
    """
    import torch

    torch.manual_seed(config.seed)
    model = embedder.model
    texts, ceiling = list(dict.fromkeys(triple.text for triple in triples)), model.max_seq_length
    model.max_seq_length = min(config.max_tokens, ceiling or config.max_tokens)
    steps = max(1, round(config.epochs * -(-len(triples) // config.batch)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    rise = max(1, round(config.warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rise, (steps - step) / max(1, steps - rise))
    )
    model.train()
    for step, batch in zip(range(steps), _batches(triples, config), strict=False):
        loss = _ranking_loss(model, batch, config.temperature)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if report is not None:
            report((step + 1) / steps, f"The retriever: step {step + 1} of {steps}, loss {float(loss):.3f}")
    model.eval()
    model.max_seq_length = ceiling
    tuned = SentenceEmbedder(model, identity=f"{embedder.identity}+tuned")
    collapse = find_collapse(tuned.encode(texts[:500]))
    if collapse:
        raise RetrieverError(f"The fine-tuned encoder is held, because {collapse}; the one in service stays.")
    return tuned


def _batches(triples: Sequence[Triple], config: TuningConfig) -> Iterator[list[Triple]]:
    """Endless; no right passage twice in one batch, where it would count as its own negative."""
    chooser = random.Random(config.seed)
    waiting: list[Triple] = []
    while True:
        fresh = list(triples)
        chooser.shuffle(fresh)
        waiting += fresh
        while len(waiting) >= config.batch or len(waiting) >= len(triples):
            batch: dict[str, Triple] = {}
            rest: list[Triple] = []
            for triple in waiting:
                if len(batch) < config.batch and triple.positive not in batch:
                    batch[triple.positive] = triple
                else:
                    rest.append(triple)
            waiting = rest
            yield list(batch.values())


def _ranking_loss(model: "SentenceTransformer", batch: Sequence[Triple], temperature: float) -> Any:
    import torch

    questions = [triple.text for triple in batch]
    passages = [triple.positive for triple in batch]
    passages += [negative for triple in batch for negative in triple.negatives if negative not in passages]
    asked, held = (torch.nn.functional.normalize(_embed(model, texts), dim=1) for texts in (questions, passages))
    return torch.nn.functional.cross_entropy(asked @ held.T / temperature, torch.arange(len(batch)))


def _embed(model: "SentenceTransformer", texts: list[str]) -> Any:
    return model(model.preprocess(texts))["sentence_embedding"]
