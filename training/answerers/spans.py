"""Answers that stand in their passage: which token a generative model may say next.

A small model that has read "in the garage under the church" readily says "in the garage under the bridge". Held to the
passage, greedy decoding cannot: every token must continue some stretch of it, or one of few fixed answers such as "Yes".
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from training.answerers.prompts import target_ids
from training.answerers.rows import find_answer
from training.types import Example

if TYPE_CHECKING:
    import torch

MOST_FREE = 0.1
"""Where more of the answers than this are neither in their passage nor frequent, the model must be free to write."""
FREQUENT = 0.01
SEPARATOR = -1


def fixed_answers(examples: Iterable[Example]) -> tuple[str, ...] | None:
    """The frequent answers that do not stand in their passages, most frequent first; None where answers are written freely."""
    spans, others = 0, Counter[str]()
    for example in examples:
        if example.target.answerable and example.weight > 0:
            if find_answer(example.target.text, example.passage, example.target.start):
                spans += 1
            else:
                others[example.target.text] += 1
    total = spans + others.total()
    frequent = {text: count for text, count in others.most_common() if count >= max(2, FREQUENT * total)}
    if not total or others.total() - sum(frequent.values()) > MOST_FREE * total:
        return None
    return tuple(frequent)


class Vocabulary:
    """Which tokens of a tokenizer begin a word and which go on with one, (words,) each; read when first asked for."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @cached_property
    def _tokens(self) -> list[str]:
        return list(self._tokenizer.convert_ids_to_tokens(list(range(len(self._tokenizer)))))

    @cached_property
    def begins(self) -> "torch.Tensor":
        import torch

        return torch.tensor([token.startswith(("\u0120", "\u2581")) for token in self._tokens])

    @cached_property
    def goes_on(self) -> "torch.Tensor":
        import torch

        return torch.tensor([token[:1].isalnum() for token in self._tokens]) & ~self.begins


class Spans:
    """The places in a batch of passages where each row's answer can go on; ``here`` marks, of shape (rows, longest)."""

    def __init__(self, answerer: Any, passages: Sequence[str], fixed: Sequence[str]) -> None:
        import torch

        known: dict[str, list[int]] = {}
        for text in (*passages, *fixed):
            if text not in known:
                known[text] = target_ids(answerer.tokenizer, f" {text}", special=False)[:-1]
        self.end = answerer.tokenizer.eos_token_id
        closed = [token for text in fixed for token in (*known[text], SEPARATOR)]
        width = max(len(known[text]) for text in passages) + 1
        rows = [known[text] + [SEPARATOR] * (width - len(known[text])) + closed for text in passages]
        self.tokens = torch.tensor(rows, device=answerer.model.device)
        begins, goes_on = self._words(answerer.vocabulary)
        fixed_starts = [SEPARATOR, *closed][: len(closed)]
        begins[:, width:] = torch.tensor([token == SEPARATOR for token in fixed_starts], device=self.tokens.device)
        self.may_end = ~goes_on
        self.may_end[:, width:] = self.tokens[:, width:] == SEPARATOR
        self.here = begins & (self.tokens != SEPARATOR)
        self.begun = False

    def _words(self, vocabulary: Vocabulary) -> tuple["torch.Tensor", "torch.Tensor"]:
        places = self.tokens.clamp(min=0).cpu()
        real = (self.tokens != SEPARATOR).cpu()
        begins, goes_on = vocabulary.begins[places] & real, vocabulary.goes_on[places] & real
        begins[:, 0] = real[:, 0]
        return begins.to(self.tokens.device), goes_on.to(self.tokens.device)

    def hold(self, logits: "torch.Tensor") -> "torch.Tensor":
        """``logits`` (rows, words) with everything ruled out that the passages do not go on with."""
        import torch

        here = self.here & (self.tokens != SEPARATOR)
        allowed = torch.zeros_like(logits, dtype=torch.int8).scatter_reduce(
            1, self.tokens.clamp(min=0), here.to(torch.int8), "amax"
        )
        if self.begun:
            allowed[:, self.end] = (self.here & self.may_end).any(-1).to(torch.int8)
        nothing = ~allowed.any(-1)
        allowed[nothing, self.end] = 1
        return logits.masked_fill(allowed == 0, -torch.inf)

    def advance(self, chosen: "torch.Tensor") -> None:
        """Every row has said its ``chosen`` token, (rows,)."""
        reached = self.here & (self.tokens == chosen[:, None])
        self.here = reached.roll(1, dims=1)
        self.begun = True

    def keep(self, rows: "torch.Tensor") -> None:
        """Go on with these rows only."""
        self.tokens, self.may_end, self.here = self.tokens[rows], self.may_end[rows], self.here[rows]
