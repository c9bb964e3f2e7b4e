"""Decoder-only models (GPT-2 family): the prompt, then the answer, then the end token."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.answerability import Similarity
from training.answerers.greedy import Decoded, decode, score_null
from training.answerers.prefix import Prefix, shared_beginnings
from training.answerers.prompts import passage_with_answer, prompt_ids, target_ids, tells_of_all
from training.answerers.rows import Row, batches, find_answer, pad, reading, reading_budget, weighted_loss
from training.answerers.settings import Settings, save_settings
from training.answerers.spans import Spans, Vocabulary
from training.types import Example, Reading, Target

if TYPE_CHECKING:
    import torch


class CausalAnswerer:
    """Reads and learns with an ``AutoModelForCausalLM``. ``task`` gives the texts, ``settings`` the limits."""

    def __init__(self, model: Any, tokenizer: Any, settings: Settings, task: Any) -> None:
        self.model, self.tokenizer, self.settings, self.task = model, tokenizer, settings, task
        self.similarity: Similarity | None = None
        self.vocabulary = Vocabulary(tokenizer)
        self.null = target_ids(tokenizer, task.format_target(Target("", answerable=False)), special=False)
        self.padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id

    @property
    def window(self) -> int:
        """Tokens the model can attend to at once, prompt and answer together."""
        return min(self.settings.max_tokens, getattr(self.model.config, "max_position_embeddings", None) or 10**9)

    @property
    def prompt_limit(self) -> int:
        return max(1, self.window - self.settings.max_new_tokens - 1)

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Prompt and target of each example as one row; examples whose question alone overflows the window are left out."""
        pairs = [(e.text, passage_with_answer(e, room_characters=2 * self.prompt_limit)) for e in examples]
        prompts = prompt_ids(self.tokenizer, self.task, pairs, limit=self.prompt_limit)
        rows = []
        for example, prompt in zip(examples, prompts, strict=True):
            if prompt is None or not tells_of_all(self.tokenizer, self.task, example, limit=self.prompt_limit):
                continue
            target = target_ids(self.tokenizer, self.task.format_target(example.target), special=False)
            target = target[: self.window - len(prompt)]
            rows.append(Row([*prompt, *target], target, example.weight))
        return rows

    def collate(self, rows: Sequence[Row]) -> dict[str, "torch.Tensor"]:
        """Right-padded (rows, longest) ``input_ids``; ``kept`` marks the positions that predict a target token."""
        import torch

        # No row looks at its padding. The padding token itself would make transformers warn of a forgotten mask.
        inputs = pad([row.input_ids for row in rows], 1 if self.padding == 0 else 0)
        kept = torch.zeros_like(inputs, dtype=torch.bool)
        for i, row in enumerate(rows):
            kept[i, row.tokens - len(row.labels) - 1 : row.tokens - 1] = True
        return {
            "input_ids": inputs,
            "kept": kept,
            "wanted": torch.tensor([token for row in rows for token in row.labels]),
            "counts": torch.tensor([len(row.labels) for row in rows]),
            "weights": torch.tensor([row.weight for row in rows]),
        }

    def loss(self, model: Any, batch: dict[str, "torch.Tensor"]) -> "torch.Tensor":
        """Weighted mean of the rows' answer-only losses.

        No attention mask: padding is on the right, where a causal model cannot look. The head, the dearest product of a small
        model, is applied to the answer's positions alone.
        """
        import torch

        logits = model(input_ids=batch["input_ids"], logits_to_keep=batch["kept"], use_cache=False).logits
        nll = torch.nn.functional.cross_entropy(logits.float(), batch["wanted"], reduction="none")
        return weighted_rows(nll, batch["counts"], batch["weights"])

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """One reading per (text, passage), in order. A text longer than the window reads as not answerable."""
        prompts = prompt_ids(self.tokenizer, self.task, pairs, limit=self.prompt_limit)
        readings = [Reading("", 0.0, 0.0)] * len(pairs)
        # Neighbours share a passage: their prompts begin alike, and that beginning is read once.
        order = sorted(
            (i for i, prompt in enumerate(prompts) if prompt), key=lambda i: (-len(pairs[i][1]), pairs[i][1])
        )
        lengths = [len(prompt or ()) for prompt in prompts]
        with reading(self.model):
            for indices in batches(lengths, reading_budget(self), order=order):
                decoded = self._decode([prompts[i] or [] for i in indices], [pairs[i][1] for i in indices])
                for row, index in enumerate(indices):
                    readings[index] = to_reading(self, decoded, row, pairs[index][1])
        return readings

    def _decode(self, prompts: list[list[int]], passages: list[str]) -> Decoded:
        import torch

        state = Prefix(self.model, self.padding)
        owners, beginnings = shared_beginnings(prompts, passages)
        if beginnings:
            state.feed(beginnings)
            state.keep(torch.tensor(owners, device=self.model.device))
        first = state.feed(
            [row[len(beginnings[owner]) if beginnings else 0 :] for row, owner in zip(prompts, owners, strict=True)]
        )
        following = None
        if len(self.null) > 1:
            known = torch.tensor(self.null[:-1], device=self.model.device).expand(len(prompts), -1)
            following = state.step(known, known)
            state.forget(known.shape[1])
        null, says_null = score_null(first, following, self.null)
        limits = (self.tokenizer.eos_token_id, self.settings.max_new_tokens)
        tokens, log_probability = decode(
            first,
            state.step,
            state.keep,
            banned=(says_null, self.null[0], 0),
            limits=limits,
            spans=hold_to_passages(self, passages),
        )
        return Decoded(tokens, log_probability, null.tolist())

    def save(self, folder: Path) -> None:
        save_answerer(self, folder)


def hold_to_passages(answerer: Any, passages: Sequence[str]) -> Spans | None:
    """The constraint that the answerer's settings ask for, if they do."""
    fixed = answerer.settings.fixed_answers
    return None if fixed is None else Spans(answerer, passages, fixed)


def weighted_rows(nll: "torch.Tensor", counts: "torch.Tensor", weights: "torch.Tensor") -> "torch.Tensor":
    """The weighted loss from the rows' concatenated token losses ``nll`` and the number of tokens of each row."""
    import torch

    owner = torch.repeat_interleave(torch.arange(len(counts), device=nll.device), counts)
    total = torch.zeros(len(counts), device=nll.device).index_add(0, owner, nll)
    return weighted_loss(total / counts, total, weights)


def to_reading(answerer: Any, decoded: Decoded, row: int, passage: str) -> Reading:
    """A decoded row as a reading, with the place of its text in the passage."""
    output = answerer.tokenizer.decode(decoded.tokens[row], skip_special_tokens=True)
    text = answerer.task.parse(output).text
    start, end = find_answer(text, passage) or (None, None)
    text = text if start is None else passage[start:end]
    answerable = -math.expm1(min(decoded.null_log_probability[row], 0.0))
    return Reading(text, answerable, decoded.log_probability[row], start, end)


def save_answerer(answerer: Any, folder: Path) -> None:
    """Weights as safetensors, configuration, tokenizer and settings: a folder that ``load_answerer`` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    answerer.model.save_pretrained(folder)
    answerer.tokenizer.save_pretrained(folder)
    save_settings(answerer.settings, folder)
