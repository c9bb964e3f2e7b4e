"""Greedy decoding for a batch, one step function for causal and sequence-to-sequence models alike.

The probability of the "not answerable" target is scored as a whole, and where greedy decoding would say it, the best other
answer is decoded instead: a reading always carries both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from training.answerers.spans import Spans

Step = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
"""``step(tokens, rows)``: feed (rows, n) tokens to the batch's remaining ``rows``; returns logits of shape (rows, n, words)."""


@dataclass(frozen=True)
class Decoded:
    """For each row: the answer's tokens without the end token, its log-probability, and that of the null target."""

    tokens: list[list[int]]
    log_probability: list[float]
    null_log_probability: list[float]


def score_null(first: "torch.Tensor", following: "torch.Tensor | None", null: Sequence[int]) -> tuple[Any, Any]:
    """Log-probability of the whole null target for each row, and whether greedy decoding would say it.

    ``first`` (rows, words) are the logits before any token; ``following`` (rows, len(null) - 1, words) those after each.
    """
    import torch

    logits = first[:, None] if following is None else torch.cat([first[:, None], following], dim=1)
    logits = logits.float()
    wanted = torch.tensor(null, device=first.device)
    chosen = logits.log_softmax(-1).gather(-1, wanted.expand(len(logits), -1)[..., None])[..., 0]
    return chosen.sum(-1), (logits.argmax(-1) == wanted).all(-1)


def decode(
    first: "torch.Tensor",
    step: Step,
    keep: Callable[["torch.Tensor"], None],
    *,
    banned: Any,
    limits: Any,
    spans: "Spans | None" = None,
) -> Any:
    """Tokens and log-probabilities of the greedy answer of each row, stopping at the end token.

    ``keep(rows)`` drops finished rows from the caller's cache. ``banned`` is (rows of bool, token, position): the token these
    rows may not say at that position. ``limits`` is (end token, most tokens). ``spans`` holds the answers to their passages; the
    log-probability is the unheld model's.
    """
    import torch

    refuse, refused_token, refused_at = banned
    end, most = limits
    tokens: list[list[int]] = [[] for _ in range(len(first))]
    total = torch.zeros(len(first), dtype=torch.float64)
    alive = torch.arange(len(first), device=first.device)
    logits = first.float()
    for position in range(most):
        scores = logits.log_softmax(-1)
        if position == refused_at and refuse is not None:
            logits = logits.clone()
            logits[refuse[alive], refused_token] = -torch.inf
        chosen = (logits if spans is None else spans.hold(logits)).argmax(-1)
        total[alive.cpu()] += scores.gather(-1, chosen[:, None])[:, 0].double().cpu()
        going = chosen != end
        for row, token in zip(alive[going].tolist(), chosen[going].tolist(), strict=True):
            tokens[row].append(token)
        if position == most - 1 or not going.any():
            break
        if not going.all():
            keep(going.nonzero()[:, 0])
            alive, chosen = alive[going], chosen[going]
            if spans is not None:
                spans.keep(going.nonzero()[:, 0])
        if spans is not None:
            spans.advance(chosen)
        logits = step(chosen[:, None], alive)[:, -1].float()
    return tokens, total.tolist()
