"""Extractive models (BERT, DistilBERT, MiniLM): a start and an end in the passage, or the first token for "no answer here".

After Devlin et al. 2019, section 4.3: a long passage is read in overlapping windows, and the pair is as answerable as its
best span's score exceeds the lowest no-answer score of its windows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.answerability import Similarity
from training.answerers.causal import save_answerer
from training.answerers.rows import Row, batches, find_answer, pad, reading, reading_budget, weighted_loss
from training.answerers.settings import Settings
from training.types import Example, Reading

if TYPE_CHECKING:
    import torch

MOST_EMPTY_WINDOWS = 2
"""Windows without the answer kept for one training example: more would teach "no answer here" above all."""


@dataclass(frozen=True)
class Window:
    """One stretch of a passage as the model sees it; ``offsets`` are character positions of the passage's tokens."""

    pair: int
    input_ids: list[int]
    split: int
    offsets: list[tuple[int, int]]


class SpanAnswerer:
    """Reads and learns with an ``AutoModelForQuestionAnswering``; ``task`` and ``settings`` as for the generative ones."""

    def __init__(self, model: Any, tokenizer: Any, settings: Settings, task: Any) -> None:
        self.model, self.tokenizer, self.settings, self.task = model, tokenizer, settings, task
        self.similarity: Similarity | None = None
        self.has_segments = "token_type_ids" in tokenizer.model_input_names

    @property
    def window(self) -> int:
        """Tokens the model can attend to at once, question and passage together."""
        # RoBERTa's positions begin after its padding id, so two of them are never used.
        places = getattr(self.model.config, "max_position_embeddings", None) or 10**9
        reserved = 2 if self.model.config.model_type in {"roberta", "camembert", "xlm-roberta", "mpnet"} else 0
        return min(self.settings.max_tokens, places - reserved)

    def windows(self, pairs: Sequence[tuple[str, str]]) -> list[Window]:
        """Every window of every pair whose text leaves room for some passage; a passage without tokens has none."""
        texts = self.tokenizer([text for text, _ in pairs], add_special_tokens=False)["input_ids"] if pairs else []
        room = self.window - self.tokenizer.num_special_tokens_to_add(pair=True) - 8
        kept = [
            i for i, (ids, pair) in enumerate(zip(texts, pairs, strict=True)) if len(ids) <= room and pair[1].strip()
        ]
        if not kept:
            return []
        shortest_room = min(room + 8 - len(texts[i]) for i in kept)
        encoded = self.tokenizer(
            [pairs[i][0] for i in kept],
            [pairs[i][1] for i in kept],
            truncation="only_second",
            max_length=self.window,
            stride=min(self.settings.stride, shortest_room // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        return [_window(encoded, row, kept[owner]) for row, owner in enumerate(encoded["overflow_to_sample_mapping"])]

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Training windows: those with the answer, and a few without. An answer not found in its passage cannot be pointed at."""
        found = [
            find_answer(e.target.text, e.passage, e.target.start) if e.target.answerable else None for e in examples
        ]
        rows: list[Row] = []
        empty: dict[int, int] = {}
        windows = self.windows([(e.text, e.passage) for e in examples])
        counts = Counter(window.pair for window in windows)
        for window in windows:
            example, place = examples[window.pair], found[window.pair]
            if example.target.answerable and place is None:
                continue
            labels = (0, 0) if place is None else _token_span(window, place)
            if example.weight < 0 and labels == (0, 0) and counts[window.pair] > 1:
                continue  # nobody said that this very window has an answer
            if labels == (0, 0):
                empty[window.pair] = empty.get(window.pair, 0) + 1
                if empty[window.pair] > MOST_EMPTY_WINDOWS:
                    continue
            rows.append(Row(window.input_ids, labels, example.weight, window.split))
        return rows

    def collate(self, rows: Sequence[Row]) -> dict[str, "torch.Tensor"]:
        """Right-padded inputs, their mask, the places an answer may be, and (start, end) labels with weights."""
        import torch

        batch = self._inputs([row.input_ids for row in rows], [row.split for row in rows])
        batch["labels"] = torch.tensor([row.labels for row in rows])
        batch["weights"] = torch.tensor([row.weight for row in rows])
        return batch

    def _inputs(self, rows: Sequence[Sequence[int]], splits: Sequence[int]) -> dict[str, "torch.Tensor"]:
        import torch

        inputs = pad(rows, self.tokenizer.pad_token_id)
        places = torch.arange(inputs.shape[1])[None]
        lengths = torch.tensor([len(row) for row in rows])[:, None]
        second = places >= torch.tensor(splits)[:, None]
        batch = {"input_ids": inputs, "attention_mask": (places < lengths).long()}
        batch["allowed"] = (second & (places < lengths - 1)) | (places == 0)
        if self.has_segments:
            batch["token_type_ids"] = (second & (places < lengths)).long()
        return batch

    def loss(self, model: Any, batch: dict[str, "torch.Tensor"]) -> "torch.Tensor":
        """Weighted mean of the start and end cross-entropies over the places an answer may be."""
        starts, ends = self._log_probabilities(model, batch)
        labels = batch["labels"]
        start_nll = -starts.gather(1, labels[:, :1])[:, 0]
        end_nll = -ends.gather(1, labels[:, 1:])[:, 0]
        return weighted_loss((start_nll + end_nll) / 2, start_nll + end_nll, batch["weights"])

    def _log_probabilities(self, model: Any, batch: dict[str, "torch.Tensor"]) -> tuple["torch.Tensor", "torch.Tensor"]:
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
        output = model(**inputs)
        forbidden = ~batch["allowed"]
        # A finite floor keeps the backward pass free of NaN where a whole block is masked.
        starts = output.start_logits.float().masked_fill(forbidden, -1e4).log_softmax(-1)
        ends = output.end_logits.float().masked_fill(forbidden, -1e4).log_softmax(-1)
        return starts, ends

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """One reading per (text, passage), in order. A text that leaves no room for a passage reads as not answerable."""
        windows = self.windows(pairs)
        best: dict[int, tuple[float, Window, tuple[int, int]]] = {}
        nulls: dict[int, float] = {}
        with reading(self.model):
            for batch in batches([len(window.input_ids) for window in windows], reading_budget(self)):
                chosen = [windows[i] for i in batch]
                for window, score, span, null in zip(chosen, *self._spans(chosen), strict=True):
                    nulls[window.pair] = min(null, nulls.get(window.pair, 0.0))
                    if window.pair not in best or score > best[window.pair][0]:
                        best[window.pair] = (score, window, span)
        return [
            _reading(pair[1], best[i], nulls[i]) if i in best else Reading("", 0.0, 0.0) for i, pair in enumerate(pairs)
        ]

    def _spans(self, windows: Sequence[Window]) -> tuple[list[float], list[tuple[int, int]], list[float]]:
        """Best span's log-probability, its first and last token, and the no-answer log-probability, for each window."""
        import torch

        device = self.model.device
        inputs = self._inputs([w.input_ids for w in windows], [w.split for w in windows])
        starts, ends = self._log_probabilities(self.model, {name: value.to(device) for name, value in inputs.items()})
        nulls = starts[:, 0] + ends[:, 0]
        width = starts.shape[1]
        band = torch.ones(width, width, dtype=torch.bool, device=device).triu().tril(self.settings.max_new_tokens - 1)
        band[0] = False
        joint = (starts[:, :, None] + ends[:, None, :]).masked_fill(~band, -torch.inf).flatten(1)
        scores, places = joint.max(-1)
        spans = [(place // width, place % width) for place in places.tolist()]
        return scores.tolist(), spans, nulls.tolist()

    def save(self, folder: Path) -> None:
        save_answerer(self, folder)


def _window(encoded: Any, row: int, pair: int) -> Window:
    ids = encoded["input_ids"][row]
    owners = encoded.sequence_ids(row)
    split = owners.index(1) if 1 in owners else len(ids)
    return Window(pair, ids, split, [tuple(o) for o in encoded["offset_mapping"][row][split : len(ids) - 1]])


def _token_span(window: Window, place: tuple[int, int]) -> tuple[int, int]:
    """First and last token of the answer, or (0, 0) where this window does not hold all of it."""
    if not window.offsets or window.offsets[0][0] > place[0] or window.offsets[-1][1] < place[1]:
        return 0, 0
    inside = [i for i, (start, end) in enumerate(window.offsets) if end > place[0] and start < place[1]]
    return (inside[0] + window.split, inside[-1] + window.split) if inside else (0, 0)


def _reading(passage: str, best: tuple[float, Window, tuple[int, int]], null: float) -> Reading:
    import math

    score, window, (first, last) = best
    start, end = window.offsets[first - window.split][0], window.offsets[last - window.split][1]
    text = passage[start:end]
    start += len(text) - len(text.lstrip())
    answerable = 1 / (1 + math.exp(min(null - score, 700.0)))
    return Reading(text.strip(), answerable, score, start, start + len(text.strip()))
