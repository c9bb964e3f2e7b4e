"""Models that read a (text, passage) pair, by architecture: load one from a folder, read, encode, learn, save."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from training.answerability import Similarity
from training.answerers.rows import Row
from training.answerers.settings import Settings, load_settings
from training.safety import ARCHITECTURES, check_model_folder
from training.types import Example, Reading, TrainingError

if TYPE_CHECKING:
    import torch


class Answerer(Protocol):
    """What every architecture offers. Reading and learning go through the same text of the task and the same tokenizer."""

    model: Any
    tokenizer: Any
    settings: Settings
    task: Any
    similarity: Similarity | None

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """One reading per (text, passage), in the order given."""

    def encode(self, examples: Sequence[Example]) -> list[Row]:
        """Tokenised training rows; an example may give none (it does not fit) or several (windows of a long passage)."""

    def collate(self, rows: Sequence[Row]) -> dict[str, "torch.Tensor"]:
        """One padded training batch."""

    def loss(self, model: Any, batch: dict[str, "torch.Tensor"]) -> "torch.Tensor":
        """The weighted loss of ``batch`` under ``model`` (``self.model``, perhaps wrapped): a scalar."""

    def save(self, folder: Path) -> None:
        """Weights (safetensors), configuration, tokenizer and settings into ``folder``."""


def load_answerer(folder: Path, task: Any, *, seed: int = 0, similarity: Similarity | None = None) -> Answerer:
    """Load the model in ``folder`` for ``task``, on the best device. Reads safetensors and JSON only.

    A model without a head for its architecture (a plain encoder) gets one initialised from ``seed``. A model that judges by the
    likeness of text and passage does so only with the ``similarity`` it was calibrated with, else by its own odds alone.
    Raises :class:`TrainingError` for a folder that is unsafe, incomplete, or of an unsupported architecture.
    """
    import torch

    folder = Path(folder)
    settings = settings_in(folder, task)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, tokenizer = _load(folder, settings.architecture)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    weights = settings.answerability
    if weights is not None and (similarity is None or similarity.identity != weights.identity):
        settings = settings.alone()
    answerer = build_answerer(model, tokenizer, settings, task)
    answerer.similarity = similarity
    return answerer


def settings_in(folder: Path, task: Any) -> Settings:
    """How the model in ``folder`` answers, its weights unread. Raises :class:`TrainingError` as :func:`load_answerer` does."""
    architecture = ARCHITECTURES[check_model_folder(folder)]
    return load_settings(folder, Settings(task.NAME, task.PROMPT_VERSION, architecture))


def build_answerer(model: Any, tokenizer: Any, settings: Settings, task: Any) -> Answerer:
    """An answerer around a model and tokenizer already in memory."""
    from training.answerers.causal import CausalAnswerer
    from training.answerers.seq2seq import Seq2SeqAnswerer
    from training.answerers.span import SpanAnswerer

    kinds: dict[str, Any] = {"causal": CausalAnswerer, "seq2seq": Seq2SeqAnswerer, "span": SpanAnswerer}
    answerer: Answerer = kinds[settings.architecture](model, tokenizer, settings, task)
    return answerer


def _load(folder: Path, architecture: str) -> tuple[Any, Any]:
    import torch
    import transformers
    from safetensors import SafetensorError

    from training.answerers.adapter import REFERENCE, load_adapted

    # Its notices (a new head, a progress bar) are for people at a terminal; what matters is raised or reported.
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    automatic = {
        "causal": transformers.AutoModelForCausalLM,
        "seq2seq": transformers.AutoModelForSeq2SeqLM,
        "span": transformers.AutoModelForQuestionAnswering,
    }
    try:
        if (folder / REFERENCE).exists():
            return load_adapted(folder)
        # Weights saved as bfloat16 are widened: optimiser steps this small would otherwise round to nothing.
        model = automatic[architecture].from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TrainingError(f"The model folder {folder.name} cannot be loaded: {first[:300]}") from error
    if not tokenizer.is_fast:
        raise TrainingError(f"The model folder {folder.name} has no fast tokenizer; expected a tokenizer.json in it.")
    return model, tokenizer
