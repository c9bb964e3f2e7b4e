"""Checkpoints of a training run as artefacts: safetensors and JSON only, whole or absent, checked before they are read."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import artefact

if TYPE_CHECKING:
    import torch

KIND = "checkpoint"
BEST_KIND = "best-weights"
KEPT = 2
"""The newest checkpoint and one before it, should the newest be damaged."""

WEIGHTS, OPTIMISER, RANDOM = "weights.safetensors", "optimiser.safetensors", "random.safetensors"
AVERAGE = "average.safetensors"
OPTIMISER_FACTS, SCHEDULER, RUN = "optimiser.json", "scheduler.json", "run.json"


def trained_parameters(model: Any) -> dict[str, Any]:
    """The parameters that training changes, by name; a weight shared by two layers appears once."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def save_weights(model: Any, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.detach().cpu().contiguous() for name, value in trained_parameters(model).items()}, path)


def load_weights(model: Any, path: Path) -> None:
    """Copy saved parameters into ``model`` in place. Raises ``KeyError`` when one is missing."""
    from safetensors.torch import load_file

    put_weights(model, load_file(path))


def put_weights(model: Any, weights: Mapping[str, "torch.Tensor"]) -> None:
    """Copy ``weights`` into the trained parameters of ``model`` in place. Raises ``KeyError`` when one is missing."""
    import torch

    with torch.no_grad():
        for name, value in trained_parameters(model).items():
            value.copy_(weights[name])


def save_optimiser(optimiser: Any, folder: Path) -> None:
    """AdamW's moments as tensors named ``<parameter>.<field>``; its settings as JSON."""
    from safetensors.torch import save_file

    state = optimiser.state_dict()
    tensors = {f"{i}.{field}": value.cpu() for i, fields in state["state"].items() for field, value in fields.items()}
    save_file(tensors, folder / OPTIMISER)
    (folder / OPTIMISER_FACTS).write_text(json.dumps(state["param_groups"]), encoding="utf-8")


def load_optimiser(optimiser: Any, folder: Path) -> None:
    from safetensors.torch import load_file

    state: dict[int, dict[str, Any]] = {}
    for name, value in load_file(folder / OPTIMISER).items():
        index, field = name.split(".", 1)
        state.setdefault(int(index), {})[field] = value
    groups = json.loads((folder / OPTIMISER_FACTS).read_text(encoding="utf-8"))
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def save_scheduler(scheduler: Any, folder: Path) -> None:
    # The schedule itself is rebuilt from the configuration; functions in the state are not data.
    state = {key: value for key, value in scheduler.state_dict().items() if key != "lr_lambdas"}
    (folder / SCHEDULER).write_text(json.dumps(state), encoding="utf-8")


def load_scheduler(scheduler: Any, folder: Path) -> None:
    state = json.loads((folder / SCHEDULER).read_text(encoding="utf-8"))
    scheduler.load_state_dict({**scheduler.state_dict(), **state})


def save_random(folder: Path) -> None:
    """Torch's random states: models use no other source (the order of rows is planned beforehand)."""
    import torch
    from safetensors.torch import save_file

    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    save_file(states, folder / RANDOM)


def load_random(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    states = load_file(folder / RANDOM)
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def step_of(path: Path) -> int:
    """The optimiser step in the name of a checkpoint or best-weights folder; -1 for other names."""
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def newest(folder: Path, *, fingerprint: str, tell: Callable[[str], None]) -> Path | None:
    """The newest whole checkpoint of the run with this ``fingerprint``.

    A damaged one is renamed to ``damaged-...`` and ``tell`` is given the reason; those of another run are removed.
    """
    for path in sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True):
        try:
            manifest = artefact.verify(path, kind=KIND)
        except artefact.DamagedArtefact as error:
            aside = folder / f"damaged-{path.name}"
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            tell(f"Checkpoint {path.name} was set aside: {error}")
            continue
        if manifest["about"].get("fingerprint") == fingerprint:
            return path
        shutil.rmtree(path)
        tell(f"Checkpoint {path.name} belongs to other data or settings; the run starts afresh.")
    return None


def tidy(folder: Path, *, best_step: int | None) -> None:
    """Remove checkpoints beyond :data:`KEPT`, and best weights other than ``best_step``'s that no kept checkpoint names."""
    kept = sorted(folder.glob("checkpoint-*"), key=step_of)
    for path in kept[:-KEPT]:
        shutil.rmtree(path)
    named = {json.loads((path / RUN).read_text(encoding="utf-8")).get("best_step") for path in kept[-KEPT:]}
    named.add(best_step)
    for path in folder.glob("best-*"):
        if step_of(path) not in named:
            shutil.rmtree(path)
