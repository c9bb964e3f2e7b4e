"""What a decoder has read so far, for a batch: its key-value cache, mask and positions; and beginnings that rows share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from training.answerers.rows import pad

if TYPE_CHECKING:
    import torch

WORTHWHILE = 0.75
"""Shared beginnings are read apart when that leaves at most this part of the tokens: it costs a second pass."""


class Prefix:
    """A growing batch of token rows under a decoder. Rows may be padded anywhere on their left; the mask knows."""

    def __init__(self, model: Any, padding: int) -> None:
        self.model, self.padding = model, padding
        self.cache: Any = None
        self.mask: Any = None
        self.next: Any = None

    def feed(self, rows: Sequence[Sequence[int]]) -> "torch.Tensor":
        """Read one more stretch of each row, none empty; returns the logits (rows, words) after its last token."""
        import torch

        device = self.model.device
        tokens = pad(rows, self.padding, left=True).to(device)
        lengths = torch.tensor([len(row) for row in rows], device=device)
        width = tokens.shape[1]
        real = (torch.arange(width, device=device) >= width - lengths[:, None]).long()
        if self.mask is None:
            self.mask, self.next = real[:, :0], torch.zeros_like(lengths)
        positions = (self.next[:, None] + real.cumsum(-1) - 1).clamp(min=0)
        self.mask = torch.cat([self.mask, real], dim=1)
        self.next = self.next + lengths
        return self._forward(tokens, positions, last_only=True)[:, -1]

    def step(self, tokens: "torch.Tensor", _rows: "torch.Tensor") -> "torch.Tensor":
        """Read (rows, n) tokens; returns logits (rows, n, words)."""
        import torch

        count = tokens.shape[1]
        positions = self.next[:, None] + torch.arange(count, device=tokens.device)
        self.mask = torch.cat([self.mask, torch.ones_like(tokens)], dim=1)
        self.next = self.next + count
        return self._forward(tokens, positions, last_only=False)

    def keep(self, rows: "torch.Tensor") -> None:
        """Go on with these rows only, in this order; a row may be taken several times."""
        self.cache.batch_select_indices(rows)
        self.mask, self.next = self.mask[rows], self.next[rows]

    def forget(self, count: int) -> None:
        """Take back the last ``count`` tokens."""
        self.cache.crop(-count)
        self.mask, self.next = self.mask[:, :-count], self.next - count

    def _forward(self, tokens: "torch.Tensor", positions: "torch.Tensor", *, last_only: bool) -> "torch.Tensor":
        output = self.model(
            input_ids=tokens,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1 if last_only else 0,
        )
        self.cache = output.past_key_values
        logits: torch.Tensor = output.logits
        return logits


def shared_beginnings(prompts: Sequence[Sequence[int]], passages: Sequence[str]) -> tuple[list[int], list[list[int]]]:
    """For each prompt the number of its beginning, and the beginnings: those of prompts about the same passage, read once.

    No beginnings are returned where sharing saves too little. A beginning never is a whole prompt.
    """
    groups: dict[str, list[int]] = {}
    for i, passage in enumerate(passages):
        groups.setdefault(passage, []).append(i)
    owners = [0] * len(prompts)
    beginnings: list[list[int]] = []
    for number, members in enumerate(groups.values()):
        rows = [list(prompts[i]) for i in members]
        length = min(_common(min(rows), max(rows)), min(len(row) for row in rows) - 1)
        beginnings.append(rows[0][:length])
        for i in members:
            owners[i] = number
    total = sum(len(prompt) for prompt in prompts)
    saved = sum(len(beginnings[owner]) for owner in owners) - sum(len(beginning) for beginning in beginnings)
    if total - saved > WORTHWHILE * total or not all(beginnings):
        return owners, []
    return owners, beginnings


def _common(first: Sequence[int], last: Sequence[int]) -> int:
    """How many tokens the least and the greatest of some rows, hence all between them, begin with."""
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
