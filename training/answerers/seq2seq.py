"""Encoder-decoder models (FLAN-T5, BART): the prompt goes into the encoder, the answer comes out of the decoder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.answerability import Similarity
from training.answerers.causal import hold_to_passages, save_answerer, to_reading, weighted_rows
from training.answerers.greedy import Decoded, decode, score_null
from training.answerers.prompts import passage_with_answer, prompt_ids, target_ids, tells_of_all
from training.answerers.rows import Row, batches, pad, reading, reading_budget
from training.answerers.settings import Settings
from training.answerers.spans import Vocabulary
from training.types import Example, Reading, Target

if TYPE_CHECKING:
    import torch

IGNORED = -100


class Seq2SeqAnswerer:
    """Reads and learns with an ``AutoModelForSeq2SeqLM``. ``task`` gives the texts, ``settings`` the limits."""

    def __init__(self, model: Any, tokenizer: Any, settings: Settings, task: Any) -> None:
        self.model, self.tokenizer, self.settings, self.task = model, tokenizer, settings, task
        self.similarity: Similarity | None = None
        self.vocabulary = Vocabulary(tokenizer)
        self.null = target_ids(tokenizer, task.format_target(Target("", answerable=False)), special=True)
        special = set(tokenizer.all_special_ids)
        # Some tokenizers (BART) begin every target with a special token: the first word of the null target comes after.
        self.null_word = next((i for i, token in enumerate(self.null) if token not in special), 0)

    @property
    def window(self) -> int:
        """Tokens of the encoder's prompt; models with relative positions (T5) have no limit of their own."""
        return min(self.settings.max_tokens, getattr(self.model.config, "max_position_embeddings", None) or 10**9)

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Prompt and target of each example; examples whose question alone overflows the window are left out."""
        pairs = [(e.text, passage_with_answer(e, room_characters=2 * self.window)) for e in examples]
        prompts = prompt_ids(self.tokenizer, self.task, pairs, limit=self.window)
        rows = []
        for example, prompt in zip(examples, prompts, strict=True):
            if prompt is not None and tells_of_all(self.tokenizer, self.task, example, limit=self.window):
                target = target_ids(self.tokenizer, self.task.format_target(example.target), special=True)
                rows.append(Row(prompt, target[: self.window], example.weight))
        return rows

    def collate(self, rows: Sequence[Row]) -> dict[str, "torch.Tensor"]:
        """Right-padded prompts with their mask, right-padded targets, and the rows' weights."""
        import torch

        return {
            "input_ids": pad([row.input_ids for row in rows], self.tokenizer.pad_token_id),
            "attention_mask": pad([[1] * row.tokens for row in rows], 0),
            "labels": pad([row.labels for row in rows], IGNORED),
            "weights": torch.tensor([row.weight for row in rows]),
        }

    def loss(self, model: Any, batch: dict[str, "torch.Tensor"]) -> "torch.Tensor":
        """Weighted mean of the rows' answer losses."""
        import torch

        labels = batch["labels"]
        # The unwrapped model shifts the labels: wrappers of the forward pass do not offer it.
        decoder_inputs = self.model.prepare_decoder_input_ids_from_labels(labels=labels)
        logits = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            decoder_input_ids=decoder_inputs,
            use_cache=False,
        ).logits
        spoken = labels != IGNORED
        nll = torch.nn.functional.cross_entropy(logits[spoken].float(), labels[spoken], reduction="none")
        return weighted_rows(nll, spoken.sum(-1), batch["weights"])

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """One reading per (text, passage), in order. A text longer than the window reads as not answerable."""
        prompts = prompt_ids(self.tokenizer, self.task, pairs, limit=self.window)
        readings = [Reading("", 0.0, 0.0)] * len(pairs)
        readable = [i for i, prompt in enumerate(prompts) if prompt]
        lengths = [len(prompts[i] or ()) for i in readable]
        with reading(self.model):
            for batch in batches(lengths, reading_budget(self)):
                indices = [readable[i] for i in batch]
                decoded = self._decode([prompts[i] or [] for i in indices], [pairs[i][1] for i in indices])
                for row, index in enumerate(indices):
                    readings[index] = to_reading(self, decoded, row, pairs[index][1])
        return readings

    def _decode(self, prompts: list[list[int]], passages: list[str]) -> Decoded:
        import torch

        device = self.model.device
        mask = pad([[1] * len(prompt) for prompt in prompts], 0).to(device)
        inputs = pad(prompts, self.tokenizer.pad_token_id).to(device)
        encoder = self.model.get_encoder()
        state: dict[str, Any] = {"encoded": encoder(input_ids=inputs, attention_mask=mask), "mask": mask, "cache": None}

        def step(tokens: "torch.Tensor", _rows: "torch.Tensor") -> "torch.Tensor":
            output = self.model(
                encoder_outputs=state["encoded"],
                attention_mask=state["mask"],
                decoder_input_ids=tokens,
                past_key_values=state["cache"],
                use_cache=True,
            )
            state["cache"] = output.past_key_values
            return output.logits  # type: ignore[no-any-return]

        def keep(rows: "torch.Tensor") -> None:
            state["cache"].batch_select_indices(rows)
            state["mask"] = state["mask"][rows]
            state["encoded"].last_hidden_state = state["encoded"].last_hidden_state[rows]

        begin = torch.full((len(prompts), 1), self.model.config.decoder_start_token_id, device=device)
        known = torch.tensor(self.null[:-1], dtype=torch.long, device=device).expand(len(prompts), -1)
        logits = step(torch.cat([begin, known], dim=1), begin)
        first = logits[:, 0]
        null, says_null = score_null(first, logits[:, 1:] if known.shape[1] else None, self.null)
        state["cache"].crop(-known.shape[1])
        banned = (says_null, self.null[self.null_word], self.null_word)
        limits = (self.tokenizer.eos_token_id, self.settings.max_new_tokens)
        spans = hold_to_passages(self, passages)
        tokens, log_probability = decode(first, step, keep, banned=banned, limits=limits, spans=spans)
        return Decoded(tokens, log_probability, null.tolist())

    def save(self, folder: Path) -> None:
        save_answerer(self, folder)
