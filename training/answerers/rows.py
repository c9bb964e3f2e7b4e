"""What all architectures share: the tokenised row, length-sorted batches, finding an answer in its passage, precision."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


READING_TOKENS = {"causal": 8192, "seq2seq": 4096, "span": 1024}
"""Measured on two processor cores with models of 5 to 22 million parameters."""

_ODD = "\u0130\u0131"
"""Letters that match a plain i in a search without regard to case, though ``casefold`` keeps them apart: the only ones of Unicode."""

_WORD = re.compile(r"\w")


@dataclass(frozen=True)
class Row:
    """One tokenised training row.

    ``input_ids`` is everything the model sees. ``labels`` is what it must say: for a causal model the last tokens of
    ``input_ids``, for a sequence-to-sequence model the decoder's tokens, for a span model the first and last token of the
    answer. ``split`` is where a span model's passage begins. ``weight`` below zero asks the model *not* to say it.
    """

    input_ids: Sequence[int]
    labels: Sequence[int]
    weight: float = 1.0
    split: int = 0

    @property
    def tokens(self) -> int:
        return len(self.input_ids)


def batches(lengths: Sequence[int], budget: int, *, order: Sequence[int] | None = None) -> list[list[int]]:
    """Cut row indices, by default the longest first, into batches whose padded size stays within ``budget`` tokens."""
    indices = sorted(range(len(lengths)), key=lambda i: -lengths[i]) if order is None else order
    cut: list[list[int]] = []
    longest = 0
    for index in indices:
        longest = max(longest, lengths[index])
        if not cut or longest * (len(cut[-1]) + 1) > budget:
            cut.append([])
            longest = lengths[index]
        cut[-1].append(index)
    return cut


def find_answer(text: str, passage: str, start: int | None = None) -> tuple[int, int] | None:
    """Character offsets of ``text`` in ``passage``: at ``start`` if it is there, else where it first stands as whole words, else the same in
    another case. A "5" does not stand in "1995"; where the text itself begins or ends with no letter or digit, as "$5" or "done.", anything may
    stand beside that end."""
    if not text:
        return None
    if start is not None and passage[start : start + len(text)] == text:
        return start, start + len(text)
    # Most passages do not hold the text at all, and a search without regard to case is slow.
    if text.casefold() not in passage.casefold() and not any(odd in text or odd in passage for odd in _ODD):
        return None
    before, after = (r"(?<!\w)" if _WORD.match(text[0]) else ""), (r"(?!\w)" if _WORD.match(text[-1]) else "")
    whole = f"{before}{re.escape(text)}{after}"
    found = re.search(whole, passage) or re.search(whole, passage, re.IGNORECASE)
    return found.span() if found is not None else None


def pad(rows: Sequence[Sequence[int]], value: int, *, left: bool = False) -> "torch.Tensor":
    """Rows of token ids as one (rows, longest) integer tensor."""
    import torch

    width = max(len(row) for row in rows)
    filled = [
        [value] * (width - len(row)) + list(row) if left else list(row) + [value] * (width - len(row)) for row in rows
    ]
    return torch.tensor(filled, dtype=torch.long)


@contextlib.contextmanager
def reading(model: Any) -> Iterator[None]:
    """Inference mode, evaluation behaviour, and bfloat16 products where the processor makes them worth it."""
    import torch

    was_training = model.training
    model.eval()
    try:
        with (
            torch.inference_mode(),
            torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=use_bfloat16(model)),
        ):
            yield
    finally:
        model.train(was_training)


def reading_budget(answerer: Any) -> int:
    """Padded tokens to read at once: many for models that then generate word by word, few where the processor's cache counts."""
    tokens = READING_TOKENS[answerer.settings.architecture]
    return tokens * (16 if answerer.model.device.type == "cuda" else 1)


def use_bfloat16(model: Any) -> bool:
    """Whether bfloat16 autocast pays: on GPUs that have it, and on processors with AVX512-BF16 or AMX."""
    import torch

    if model.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def weighted_loss(nll: "torch.Tensor", total_nll: "torch.Tensor", weights: "torch.Tensor") -> "torch.Tensor":
    """The batch's loss from each row's mean and summed negative log-likelihood, all of shape (rows,).

    A row of weight 0.5 pulls half as hard as one of weight 1, whatever else is in its batch. A row of negative weight is
    penalised by ``-log(1 - p)`` (unlikelihood, Welleck et al. 2020), which is bounded where a negative likelihood loss is not.
    """
    import torch

    away = -torch.log1p(-torch.exp(-total_nll).clamp(max=1 - 1e-4))
    each = torch.where(weights < 0, away, nll)
    return (each * weights.abs()).sum() / (weights != 0).sum().clamp(min=1)
