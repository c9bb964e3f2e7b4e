"""Fine-tuning the sentence encoder itself on labelled questions, with sentence-transformers and nothing from a network.

Every passage has to be embedded again afterwards: the encoder has an identity of its own, so that no old vector meets a new one.
"""

import copy
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retriever.adapter import find_collapse
from retriever.embedder import SentenceEmbedder, load_encoder
from retriever.types import Report, RetrieverError

if TYPE_CHECKING:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from transformers import TrainerCallback

CHECKED = 500  # texts looked at for collapse
_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")


@dataclass(frozen=True)
class TuningConfig:
    """``temperature`` divides cosines in the loss; ``frozen`` is the share of the layers, lowest first, that stay as they are.

    Word embeddings stay as well: a few hundred labels hold too few words to move them by. Longer texts are cut at ``max_tokens`` in training.
    """

    epochs: int = 3
    batch: int = 16
    learning_rate: float = 3e-5
    temperature: float = 0.05
    max_tokens: int = 128
    frozen: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Triple:
    """A question, a passage that answers it, and one that does not ("" when there is none)."""

    text: str
    right: str
    wrong: str = ""


def pick_negatives(
    cosines: NDArray[np.float32],
    wanted: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    *,
    rejected: Sequence[int],
    count: int,
) -> list[int]:
    """Up to ``count`` passages of one question, all arrays ``(m,)``: those people rejected, then the nearest that surely are wrong.

    ``wanted`` and ``allowed`` are a row of :func:`retriever.adapter.mark`, which keeps the 95 % rule.
    """
    nearest = [int(row) for row in np.argsort(-cosines) if allowed[row] and not wanted[row]]
    return list(dict.fromkeys([row for row in rejected if not wanted[row]] + nearest))[:count]


def fine_tune(
    embedder: SentenceEmbedder,
    triples: Sequence[Triple],
    folder: Path,
    *,
    config: TuningConfig,
    report: Report | None = None,
) -> SentenceEmbedder:
    """Train a copy of the encoder, save it as safetensors of 16 bits into the new ``folder`` and return it as loaded from there.

    Multiple-negatives ranking loss (Henderson et al., 2017): of all passages of a batch, each question's own is to come first. ``embedder``
    stays as it is. ``report`` may raise to cancel. Raises :class:`RetrieverError` when the encoder collapses; the folder is removed then.
    """
    model = copy.deepcopy(embedder.model)
    model.model_card_data.widget = [
        {"text": ""}
    ]  # else the trainer looks for examples to show on a card that is never written
    longest = model.max_seq_length
    model.max_seq_length = min(config.max_tokens, longest or config.max_tokens)
    _freeze_low(model, config.frozen)
    _train(model, _dataset(triples), config, report)
    model.max_seq_length = longest
    try:
        model.half().save_pretrained(str(folder), create_model_card=False)
        tuned = load_encoder(folder)
        _refuse_collapse(tuned, triples)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return tuned


def _refuse_collapse(tuned: SentenceEmbedder, triples: Sequence[Triple]) -> None:
    for texts in ([triple.text for triple in triples], [triple.right for triple in triples]):
        collapse = find_collapse(tuned.encode(list(dict.fromkeys(texts))[:CHECKED]))
        if collapse:
            raise RetrieverError(f"The fine-tuned encoder is held, because {collapse}.")


def _dataset(triples: Sequence[Triple]) -> "Dataset":
    from datasets import Dataset

    columns = {"anchor": [triple.text for triple in triples], "positive": [triple.right for triple in triples]}
    if all(triple.wrong for triple in triples):
        columns["negative"] = [triple.wrong for triple in triples]
    return Dataset.from_dict(columns)


def _freeze_low(model: "SentenceTransformer", share: float) -> None:
    transformer: Any = model[0]
    transformer.auto_model.get_input_embeddings().requires_grad_(False)
    numbered = [(int(found[1]), weight) for name, weight in model.named_parameters() if (found := _LAYER.search(name))]
    layers = 1 + max((number for number, _ in numbered), default=0)
    for number, weight in numbered:
        if number < share * layers:
            weight.requires_grad_(False)


def _train(model: "SentenceTransformer", rows: "Dataset", config: TuningConfig, report: Report | None) -> None:
    import torch
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers import PrinterCallback

    transformer: Any = model[0]
    transformer.auto_model.set_attn_implementation("eager")  # with bfloat16 on a processor a third faster than fused
    with tempfile.TemporaryDirectory() as scratch, torch.random.fork_rng():
        arguments = SentenceTransformerTrainingArguments(
            output_dir=scratch, num_train_epochs=config.epochs, per_device_train_batch_size=config.batch,
            learning_rate=config.learning_rate, warmup_steps=0.1, seed=config.seed, data_seed=config.seed, use_cpu=True,
            bf16=has_bfloat16(), batch_sampler=BatchSamplers.NO_DUPLICATES, save_strategy="no", logging_strategy="no",
            report_to="none", disable_tqdm=True, dataloader_pin_memory=False, push_to_hub=False,
        )  # fmt: skip
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=rows, callbacks=[_reporting(report)],
            loss=MultipleNegativesRankingLoss(model, scale=1 / config.temperature),
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    model.eval()


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively; elsewhere it is slower than 32 bits."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _reporting(report: Report | None) -> "TrainerCallback":
    from transformers import TrainerCallback

    class Reporting(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_others: Any) -> None:
            if report is not None:
                steps = max(1, state.max_steps)
                report(
                    min(1.0, state.global_step / steps), f"The retriever's encoder: step {state.global_step} of {steps}"
                )

    return Reporting()
