"""Is a folder safe to load a model from: weights as safetensors, settings as JSON, no pickle, no code of its own."""

import hashlib
import json
from pathlib import Path
from typing import Any

from retriever.types import RetrieverError

_UNSAFE_ENDINGS = {
    ".py",
    ".pyc",
    ".so",
    ".pkl",
    ".pickle",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".joblib",
    ".h5",
    ".msgpack",
    ".npz",
    ".dill",
}


def check_model_folder(folder: Path) -> None:
    """Raise :class:`RetrieverError` unless ``folder`` holds safetensors and nothing that could run code when loaded."""
    if not folder.is_dir():
        raise RetrieverError(f"There is no model folder {folder}; give a folder of safetensors, a hub id, or 'minilm'.")
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _UNSAFE_ENDINGS and path.is_file():
            what = "code" if path.suffix in (".py", ".pyc", ".so") else "a pickle or another format that can run code"
            raise RetrieverError(
                f"The model folder {folder} is refused: {path.name} is {what}; keep only safetensors and JSON."
            )
        if path.suffix == ".json" and path.name != "tokenizer.json":
            _check_settings(path)
    if not list(folder.glob("*.safetensors")):
        raise RetrieverError(f"The model folder {folder} has no .safetensors file; save the model with safetensors.")


def _check_settings(path: Path) -> None:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RetrieverError(f"{path} is not readable JSON; copy the model folder again.") from error
    if _has_key(settings, "auto_map"):
        raise RetrieverError(
            f"{path} asks for code of the model's own (auto_map); only standard architectures are loaded."
        )
    if path.name == "modules.json":
        _check_modules(path, settings)


def _check_modules(path: Path, modules: Any) -> None:
    # sentence-transformers imports whatever class this file names, so only its own classes may be named.
    types = (
        [str(module.get("type")) if isinstance(module, dict) else "" for module in modules]
        if isinstance(modules, list)
        else [""]
    )
    foreign = next((name for name in types if not name.startswith("sentence_transformers.")), None)
    if foreign is not None:
        raise RetrieverError(
            f"{path} names the class {foreign!r}, which is not one of sentence-transformers; it is not loaded."
        )


def _has_key(value: Any, key: str) -> bool:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if key in item:
                return True
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return False


def weights_sha256(folder: Path) -> str:
    """sha256 of ``model.safetensors``, or over the names and hashes of all weight files when there are several."""
    files = sorted(folder.glob("*.safetensors"))
    hashes = []
    for path in files:
        with path.open("rb") as file:
            hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(files) == 1:
        return hashes[0]
    listing = "\n".join(f"{digest}  {path.name}" for digest, path in zip(hashes, files, strict=True))
    return hashlib.sha256(listing.encode()).hexdigest()
