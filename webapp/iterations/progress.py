"""``log.jsonl`` of an iteration: written line by line while it trains, read back as curves at any time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.tasks import Task

FILE = "log.jsonl"
POINTS_AT_MOST = 300


def writer(folder: Path) -> Callable[[dict[str, float]], None]:
    """Append one line per point, on disk before the run goes on, so that a killed run has its curve up to the last step."""

    def append(point: dict[str, float]) -> None:
        with (folder / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(point) + "\n")

    return append


def read_log(folder: Path) -> list[dict[str, float]]:
    """Points by step. A resumed run repeats the steps since its checkpoint: the later values count. A torn last line is skipped."""
    steps: dict[float, dict[str, float]] = {}
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            point = json.loads(line)
        except ValueError:
            continue
        steps.setdefault(point.get("step", 0), {}).update(point)
    return [steps[step] for step in sorted(steps)]


def titles(task: Task) -> dict[str, str]:
    """The curves of a task's runs: key -> title."""
    primary = task.METRICS.get(task.PRIMARY_METRIC, task.PRIMARY_METRIC)
    return {"loss": "Loss", "perplexity": "Perplexity", f"validation_{task.PRIMARY_METRIC}": f"Validation {primary}"}


def meanings(task: Task) -> dict[str, str]:
    """What each curve tells, by its key."""
    return {
        "loss": "How far the model is from the rows it learns from; it should fall.",
        "perplexity": "Among about how many choices the model still hesitates: 1 is sure. It is made of the loss and should fall too.",
        f"validation_{task.PRIMARY_METRIC}": "The same figure as on the test questions, on questions set apart to choose the best state "
        "of the training; it should rise.",
    }


def curves(folder: Path, task: Task) -> list[dict[str, Any]]:
    """One entry per curve that has points: its key, title and [step, value] pairs, thinned to what a screen can show."""
    points = read_log(folder)
    found = []
    for key, title in titles(task).items():
        pairs = [[point["step"], point[key]] for point in points if point.get(key) is not None]
        if pairs:
            found.append({"key": key, "title": title, "points": _thin(pairs)})
    return found


def chart(folder: Path, key: str, task: Task, *, live: bool) -> dict[str, Any]:
    """One curve as the page's chart script wants it."""
    title = titles(task)[key]
    points: list[list[float]] = next((curve["points"] for curve in curves(folder, task) if curve["key"] == key), [])
    found = {
        "x": "step", "y": title, "series": [{"name": title, "kind": "line", "points": points}], "live": live,
        "empty": _why_empty(folder, live=live),
    }  # fmt: skip
    return found | ({"y_min": 0, "y_max": 1} if key.startswith("validation") else {})


def _why_empty(folder: Path, *, live: bool) -> str:
    if not live:
        return "This run wrote no such figures."
    if read_log(folder):
        return "Measured several times in a run; the first measurement is still to come."
    return "Drawn from the first training step on: the run waits for its turn or prepares its data."


def _thin(pairs: list[list[float]]) -> list[list[float]]:
    stride = -(-len(pairs) // POINTS_AT_MOST)
    return pairs if stride <= 1 else [*pairs[:-1:stride], pairs[-1]]
