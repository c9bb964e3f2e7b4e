"""Which models may be read at all: safetensors and JSON of known architectures, nothing that runs code, nothing outside."""

import json
import re
from pathlib import Path
from typing import Any

from training.artefact import DamagedArtefact, verify
from training.types import TrainingError

SHIPPED = Path(__file__).parent / "shipped"
OFFLINE = ("starter", "reader")

ARCHITECTURES = {
    **dict.fromkeys(("gpt2", "gpt_neo", "gpt_neox", "opt", "llama", "mistral", "qwen2", "qwen3", "phi"), "causal"),
    **dict.fromkeys(("t5", "mt5", "umt5", "bart", "mbart", "pegasus"), "seq2seq"),
    **dict.fromkeys(
        ("bert", "distilbert", "roberta", "camembert", "xlm-roberta", "mpnet", "electra", "albert", "deberta-v2"),
        "span",
    ),
}
"""``model_type`` of a configuration -> how such a model answers."""

FORBIDDEN_SUFFIXES = frozenset(
    {
        ".bin",
        ".pt",
        ".pth",
        ".pkl",
        ".pickle",
        ".ckpt",
        ".h5",
        ".py",
        ".pyc",
        ".msgpack",
        ".joblib",
        ".npy",
        ".npz",
        ".so",
    }
)
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
DOWNLOADED = ["*.safetensors", "*.json", "*.txt", "*.model"]
VOCABULARIES = frozenset({"tokenizer.json", "vocab.json", "added_tokens.json", "special_tokens_map.json"})
HARMLESS_PRIVATE_KEYS = frozenset(
    {"_name_or_path", "_num_labels", "_commit_hash", "_from_model_config", "_attn_implementation_autoset"}
)
"""Keys with a leading underscore that transformers itself has written; any other may name code to run (CVE-2026-4372)."""


def check_model_folder(folder: Path) -> str:
    """The ``model_type`` of a folder that is safe to load. Raises :class:`TrainingError` with the reason otherwise.

    Refused: pickle-like or Python files, links that leave the folder, a configuration that asks for code, weights that
    are not safetensors or lie elsewhere, architectures outside :data:`ARCHITECTURES`.
    """
    if not folder.is_dir():
        raise TrainingError(f"There is no model folder at {folder}.")
    _check_files(folder)
    for path in sorted(folder.rglob("*.json")):
        if path.name not in VOCABULARIES:
            _check_json(folder, path)
    if (folder / "reference.json").exists():
        return _check_adapter(folder)
    model_type = _read_object(folder, folder / "config.json").get("model_type")
    if model_type not in ARCHITECTURES:
        raise TrainingError(
            f"The model in {folder.name} has the architecture {model_type!r}, which is not supported; "
            f"expected one of {', '.join(sorted(ARCHITECTURES))}."
        )
    return str(model_type)


def _check_files(folder: Path) -> None:
    root = folder.resolve()
    weights = False
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in FORBIDDEN_SUFFIXES:
            raise TrainingError(
                f"{folder.name} holds {name}, which can run code when loaded; only safetensors and JSON are read. "
                "Remove that file or save the model as safetensors."
            )
        # The hub's cache links to blobs beside its snapshots; those were downloaded by us and stay under the cache.
        if not path.resolve().is_relative_to(_allowed_root(root)):
            raise TrainingError(
                f"{folder.name} holds {name}, a link that leaves the folder; replace it with the file itself."
            )
        if not (path.is_dir() or path.is_file()):
            raise TrainingError(f"{folder.name} holds {name}, which is neither a file nor a folder; remove it.")
        weights = weights or path.suffix == ".safetensors"
    if not weights:
        raise TrainingError(f"{folder.name} holds no .safetensors weights; save the model as safetensors first.")


def _allowed_root(root: Path) -> Path:
    is_snapshot = root.parent.name == "snapshots" and (root.parent.parent / "blobs").is_dir()
    return root.parent.parent if is_snapshot else root


def _check_json(folder: Path, path: Path) -> None:
    content = _read_object(folder, path)
    name = path.relative_to(folder).as_posix()
    if "auto_map" in content or "custom_pipelines" in content:
        raise TrainingError(
            f"{folder.name}/{name} asks to run the model's own code (auto_map); such models are not loaded."
        )
    if path.name in {"config.json", "generation_config.json", "adapter_config.json"}:
        key = _private_key(content)
        if key is not None:
            raise TrainingError(
                f"{folder.name}/{name} has the private key {key!r}, which may run code; such models are not loaded."
            )
    if path.name.endswith(".index.json"):
        _check_index(folder, content, name)


def _private_key(content: Any) -> str | None:
    """The first key with a leading underscore, at any depth, that is not known to be harmless."""
    if isinstance(content, list):
        return next((key for item in content if (key := _private_key(item)) is not None), None)
    if not isinstance(content, dict):
        return None
    for key, value in content.items():
        if key.startswith("_") and key not in HARMLESS_PRIVATE_KEYS:
            return str(key)
        inner = _private_key(value)
        if inner is not None:
            return inner
    return None


def _check_index(folder: Path, content: dict[str, Any], name: str) -> None:
    files = content.get("weight_map")
    for file in set(files.values()) if isinstance(files, dict) else set():
        inside = isinstance(file, str) and Path(file).name == file and file.endswith(".safetensors")
        if not inside or not (folder / file).is_file():
            raise TrainingError(
                f"{folder.name}/{name} points to the weights file {file!r}, which is not a safetensors file in it."
            )


def _check_adapter(folder: Path) -> str:
    if not (folder / "adapter_config.json").exists() or not (folder / "adapter_model.safetensors").exists():
        raise TrainingError(f"{folder.name} refers to an encoder but holds no adapter; restore the folder.")
    return "bert"


def _read_object(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(
            f"{folder.name} has no {name}; expected a model folder as transformers saves it."
        ) from error
    except (OSError, ValueError) as error:
        raise TrainingError(f"{folder.name}/{name} is not readable JSON; restore the model folder.") from error
    return content if isinstance(content, dict) else {}


def resolve_base(base: str, cache: Path) -> Path:
    """The folder of ``base``: ``starter`` or ``reader``, an existing folder, or a hub id downloaded into ``cache``.

    Raises :class:`TrainingError` when it is unknown, unreachable, damaged, or unsafe to load.
    """
    if base in OFFLINE:
        return _shipped(base)
    if base and Path(base).is_dir():
        check_model_folder(Path(base))
        return Path(base)
    if not HUB_ID.fullmatch(base):
        raise TrainingError(
            f"{base!r} is neither a folder nor a hub id; expected a folder, `org/name`, or {_choices()}."
        )
    folder = _download(base, cache)
    check_model_folder(folder)
    return folder


def _shipped(base: str) -> Path:
    folder = SHIPPED / base
    if not folder.is_dir():
        raise TrainingError(
            f"The {base} model is missing from this installation; reinstall Errata or name another base."
        )
    try:
        verify(folder)
    except DamagedArtefact as error:
        raise TrainingError(f"The shipped {base} model is damaged: {error}") from error
    check_model_folder(folder)
    return folder


def _download(base: str, cache: Path) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(base, cache_dir=str(cache), allow_patterns=DOWNLOADED))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        reason = "the hub does not know it" if isinstance(error, HfHubHTTPError) else "the hub cannot be reached"
        raise TrainingError(
            f"The model {base!r} cannot be downloaded ({reason}); check the name and the network, or use {_choices()}, "
            "which need no network."
        ) from error


def _choices() -> str:
    return " or ".join(f"`{name}`" for name in OFFLINE)
