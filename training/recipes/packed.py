"""Training a causal model on many questions about one page at once: the page is read once, every question sees only the page.

Equal to training on the rows one by one, since the prompt puts the passage first; about four times as many questions a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.answerers.rows import Row

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Packed:
    """Rows of one page in one sequence: tokens, their positions, the branch each belongs to (0: the page), the positions
    that predict a target token and the tokens they should say, and each target token's weight."""

    tokens: list[int]
    positions: list[int]
    branches: list[int]
    kept: list[int]
    wanted: list[int]
    weights: list[float]


def common_prefix(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with: as many as the first and the last in sorted order share."""
    shortest, longest = min(rows), max(rows)
    length = next((i for i, (a, b) in enumerate(zip(shortest, longest, strict=False)) if a != b), len(shortest))
    return min(length, min(len(row) for row in rows))


def pack(rows: Sequence[Row]) -> Packed:
    """One sequence from the rows of a page: their common beginning once, then each row's own rest as a branch of it."""
    inputs = [list(row.input_ids) for row in rows]
    shared = min(common_prefix(inputs), min(len(row.input_ids) - len(row.labels) - 1 for row in rows))
    packed = Packed(inputs[0][:shared], list(range(shared)), [0] * shared, [], [], [])
    for branch, (row, tokens) in enumerate(zip(rows, inputs, strict=True), start=1):
        packed.tokens.extend(tokens[shared:])
        packed.positions.extend(range(shared, len(tokens)))
        packed.branches.extend([branch] * (len(tokens) - shared))
        end = len(packed.tokens)
        packed.kept.extend(range(end - len(row.labels) - 1, end - 1))
        packed.wanted.extend(row.labels)
        # Between "every row counts the same" and "every token does": a list is as much work as it is long.
        packed.weights.extend([len(row.labels) ** -0.5] * len(row.labels))
    return packed


def everything(packed: Packed) -> Packed:
    """The same sequence with a loss on each token of the page too: what the warm-up trains on."""
    shared = packed.branches.count(0)
    return Packed(
        packed.tokens,
        packed.positions,
        packed.branches,
        [*range(shared - 1), *packed.kept],
        [*packed.tokens[1:shared], *packed.wanted],
        [*([0.05] * (shared - 1)), *packed.weights],
    )


def collate(pages: Sequence[Packed], padding: int) -> dict[str, "torch.Tensor"]:
    """Right-padded (pages, longest) tensors and the (pages, 1, longest, longest) mask of who may look at whom."""
    import torch

    width = max(len(page.tokens) for page in pages)

    def padded(rows: list[list[int]], value: int) -> "torch.Tensor":
        return torch.tensor([row + [value] * (width - len(row)) for row in rows])

    branches = padded([page.branches for page in pages], -1)
    same = (branches[:, None, :] == branches[:, :, None]) | (branches[:, None, :] == 0)
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    kept = [number * width + position for number, page in enumerate(pages) for position in page.kept]
    return {
        "input_ids": padded([page.tokens for page in pages], padding),
        "position_ids": padded([page.positions for page in pages], 0),
        "mask": (same & causal)[:, None],
        "kept": torch.tensor(kept),
        "wanted": torch.tensor([token for page in pages for token in page.wanted]),
        "weights": torch.tensor([weight for page in pages for weight in page.weights]),
    }


def loss(model: "torch.nn.Module", batch: dict[str, "torch.Tensor"]) -> "torch.Tensor":
    """The weighted mean loss of the target tokens; the head is applied to their positions alone."""
    import torch

    hidden = model.transformer(
        input_ids=batch["input_ids"], position_ids=batch["position_ids"], attention_mask=batch["mask"], use_cache=False
    ).last_hidden_state
    logits = model.lm_head(hidden.flatten(0, 1)[batch["kept"]])
    nll = torch.nn.functional.cross_entropy(logits.float(), batch["wanted"], reduction="none")
    return (nll * batch["weights"]).sum() / batch["weights"].sum()
