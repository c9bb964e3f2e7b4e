"""What a label is worth: our loop beside the stock recipe, at growing numbers of labels, over several seeds.

    python benchmarks/learning_curve.py --labels FILE --label-rows split=train --test FILE --test-rows split=test
        [--base reader] [--budgets 32 64 128 256 512] [--seeds 0 1 2] [--sides ours stock] [--rounds-file FILE] [--picture FILE] [--json]

Gold rows play the annotator, and every question comes with its own context: nothing is retrieved, so reading is compared and nothing
else (`errata replay` plays the whole loop). Both sides start from one base and are given the same number of labels of one pool.

``ours``             every label: answers as they are, "not answerable" as abstention rows; one in seven only chooses the best state
``ours_positives``   the same without the labels that reject or say "not answerable"
``stock``            a plain ``Trainer`` with its default settings on accepted and corrected rows only, in random order
``stock_all``        the same on every label, as a fine-tuning script takes a SQuAD 2.0 file

A row whose gold has an answer is accepted or corrected: one training row either way. A row without an answer is accepted where the untrained
base says "not answerable", and rejected where it gives one. ``--rounds-file`` keeps every finished point: the same command again goes on after them. The last line is JSON.
"""

import argparse
import gzip
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.curve_figures import FIGURES, Point, compare
from training.answerers import load_answerer
from training.safety import resolve_base
from training.tasks import get_task
from training.types import Example, FitConfig, Gold, Input, Target
from training.variations import variations

TASK: Any = get_task("qa")
VALIDATION_EVERY = 7  # one label in so many chooses the best state and the threshold
LOOKED_AT = 2  # questions that an uncertain choice looks at for each label
SIDES = ("ours", "ours_positives", "stock", "stock_all")
Row = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """One comparison: the rows, the base and how either side trains."""

    pool: Sequence[Row]
    test: Sequence[Gold]
    base: str
    options: argparse.Namespace
    rejected: dict[int, bool] = field(
        default_factory=dict
    )  # rows without an answer to which the base gave one, as far as looked at


def read_rows(path: Path, only: str | None) -> list[Row]:
    """The rows of a file; with ``only``, those whose field has one of some values (``split=train,dev``)."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in content.splitlines() if line.strip()]
    if not only:
        return rows
    name, _, values = only.partition("=")
    kept = [row for row in rows if str(row.get(name)) in values.split(",")]
    if not kept:
        raise SystemExit(f"No row of {path.name} has {only}; its fields are {', '.join(rows[0])}.")
    return kept


def to_gold(number: int, row: Row) -> Gold:
    answers = () if row["is_impossible"] else tuple(dict.fromkeys(answer["text"] for answer in row["answers"]))
    return Gold(str(number), row["question"], (row["context"],), answers)


def to_example(row: Row, label: int) -> Example:
    if row["is_impossible"]:
        return Example(row["question"], row["context"], Target("", False), kind="negative", label=label)
    first = row["answers"][0]
    return Example(
        row["question"], row["context"], Target(first["text"], start=first["start"]), kind="correct", label=label
    )


def accepted_or_corrected(setting: Setting, chosen: Sequence[int]) -> list[int]:
    """The rows that the player would not reject: all with an answer, and those that the base calls "not answerable" rightly."""
    unknown = [i for i in chosen if setting.pool[i]["is_impossible"] and i not in setting.rejected]
    if unknown:
        base = load(setting.base, 0)
        for i, prediction in zip(unknown, predict(base, [to_gold(i, setting.pool[i]) for i in unknown]), strict=True):
            setting.rejected[i] = prediction.answerable
    return [i for i in chosen if not setting.rejected.get(i, False)]


def predict(answerer: Any, golds: Sequence[Gold]) -> list[Any]:
    predictions: list[Any] = TASK.predict(answerer, [Input(gold.id, gold.text, gold.passages) for gold in golds])
    return predictions


def choose(setting: Setting, chosen: list[int], count: int, *, seed: int, answerer: Any) -> list[int]:
    """``count`` more rows for people to label: any, or those the newest model is least sure of among twice as many."""
    rest = [i for i in range(len(setting.pool)) if i not in set(chosen)]
    Random(f"{seed}:{len(chosen)}").shuffle(rest)
    if setting.options.strategy == "random":
        return rest[:count]
    looked_at = rest[: count * LOOKED_AT]
    predictions = predict(answerer, [to_gold(i, setting.pool[i]) for i in looked_at])
    unsure = sorted(zip(predictions, looked_at, strict=True), key=lambda pair: abs(pair[0].answerable_score - 0.5))
    return [i for _, i in unsure][:count]


def train_ours(setting: Setting, chosen: Sequence[int], *, seed: int, side: str) -> Any:
    """Our loop's training: from the base, on all labels so far, the best state and the threshold chosen on one in seven of them."""
    options, pool = setting.options, setting.pool
    kept = [i for i in chosen if side == "ours" or not pool[i]["is_impossible"]]
    validation = [to_gold(i, pool[i]) for i in kept[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]]
    held = {int(gold.id) for gold in validation}
    rows = [to_example(pool[i], i) for i in kept if i not in held]
    rows += [varied for row in rows for varied in vary(row, options.variations, seed)]
    config = FitConfig(epochs=options.epochs, learning_rate=options.learning_rate, seed=seed, save_every_s=1e9)
    answerer = load(setting.base, seed)
    with tempfile.TemporaryDirectory() as folder:
        TASK.fit(answerer, rows, validation, folder=Path(folder), config=config, report=quiet, log=quiet)
    return answerer


def vary(row: Example, count: int, seed: int) -> list[Example]:
    texts = variations(row.text, count, seed=seed) if count else []
    return [Example(text, row.passage, row.target, row.weight, row.kind, row.label) for text in texts]


def quiet(*_: Any) -> None: ...


def train_stock(setting: Setting, chosen: Sequence[int], *, seed: int, side: str) -> Any:
    """The stock recipe: ``Trainer`` with its defaults on the model's own loss, no validation, no choice of state."""
    import torch
    from transformers import Trainer, TrainingArguments

    from benchmarks.train import stock_batch, stock_row

    kept = chosen if side == "stock_all" else accepted_or_corrected(setting, chosen)
    answerer = load(setting.base, seed)
    examples = [to_example(setting.pool[i], i) for i in kept]
    rows = [stock_row(answerer, row) for row in answerer.encode(examples)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, seed=seed, save_strategy="no", report_to="none", disable_tqdm=True,
            num_train_epochs=setting.options.stock_epochs, learning_rate=setting.options.stock_learning_rate,
            use_cpu=not torch.cuda.is_available(), logging_strategy="no",
        )  # fmt: skip
        Trainer(answerer.model, arguments, train_dataset=rows, data_collator=stock_batch).train()
    answerer.model.eval()
    return answerer


def load(base: str, seed: int) -> Any:
    return load_answerer(resolve_base(base, Path("unused")), TASK, seed=seed)


def measure(answerer: Any, test: Sequence[Gold]) -> dict[str, float]:
    scores: dict[str, float] = TASK.score(predict(answerer, test), test)
    return scores


def play(setting: Setting, side: str, seed: int, kept: "RoundsFile") -> list[Point]:
    """One curve: a point for each budget, those already kept read instead of trained again."""
    points, chosen, answerer = [], [], None
    is_stock = side.startswith("stock")
    for budget in budgets_of(setting, side):
        point = kept.find(side, seed, budget)
        if point is None:
            began = time.monotonic()
            if not is_stock and setting.options.strategy != "random" and answerer is None and chosen:
                answerer = train_ours(setting, chosen, seed=seed, side=side)  # resumed: the model of the round before
            chosen += choose(
                setting, chosen, budget - len(chosen), seed=seed, answerer=answerer or load(setting.base, seed)
            )
            answerer = (train_stock if is_stock else train_ours)(setting, chosen, seed=seed, side=side)
            metrics = measure(answerer, setting.test)
            point = Point(side, seed, budget, metrics, tuple(chosen), time.monotonic() - began)
            kept.add(point)
        chosen = list(point.chosen)
        points.append(point)
        if not setting.options.json:
            figures = "  ".join(f"{name} {100 * point.metrics[name]:5.1f}" for name in FIGURES)
            print(f"{side:15} seed {seed}  {budget:4} labels  {figures}  {point.seconds:6.0f} s", flush=True)
    return points


def untrained(setting: Setting, kept: "RoundsFile") -> dict[str, float]:
    point = kept.find("base", 0, 0)
    if point is None:
        began = time.monotonic()
        point = Point("base", 0, 0, measure(load(setting.base, 0), setting.test), (), time.monotonic() - began)
        kept.add(point)
    return point.metrics


def budgets_of(setting: Setting, side: str) -> list[int]:
    options = setting.options
    wanted = options.stock_budgets if side.startswith("stock") and options.stock_budgets else options.budgets
    return sorted(budget for budget in wanted if budget <= len(setting.pool))


class RoundsFile:
    """Finished points as JSON lines, each under the fingerprint of everything that decides it."""

    def __init__(self, path: Path | None, fingerprint: dict[str, str]) -> None:
        self.path, self.fingerprint = path, fingerprint
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        self.rows = [json.loads(line) for line in lines if line.endswith("}")]

    def find(self, side: str, seed: int, labels: int) -> Point | None:
        wanted = {"fingerprint": self.fingerprint[side], "side": side, "seed": seed, "labels": labels}
        for row in self.rows:
            if all(row.get(name) == value for name, value in wanted.items()):
                return Point(side, seed, labels, row["metrics"], tuple(row["chosen"]), row["seconds"])
        return None

    def add(self, point: Point) -> None:
        if self.path is None:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"fingerprint": self.fingerprint[point.side], **vars(point)}) + "\n")


def fingerprints(options: argparse.Namespace) -> dict[str, str]:
    """Of each side: the files, the base and the settings that change its points. Budgets count: they cut the rounds."""
    files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (options.labels, options.test)]
    shared = [*files, options.label_rows, options.test_rows, options.base]
    ours = [options.strategy, options.epochs, options.learning_rate, options.variations]
    ours += options.budgets if options.strategy != "random" else []
    stock = [options.stock_epochs, options.stock_learning_rate]
    own = {"base": [], **{side: stock if side.startswith("stock") else ours for side in SIDES}}
    return {side: hashlib.sha256(repr((shared, settings)).encode()).hexdigest()[:16] for side, settings in own.items()}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="gold JSON lines (.gz too) that play the annotator")
    parser.add_argument("--label-rows", metavar="FIELD=VALUE,...", help="only these rows of it")
    parser.add_argument(
        "--test", type=Path, required=True, help="gold JSON lines to measure on; never chosen or trained on"
    )
    parser.add_argument("--test-rows", metavar="FIELD=VALUE,...", help="only these rows of it")
    parser.add_argument("--base", default="reader", help="starter, reader or a model folder")
    parser.add_argument("--budgets", type=int, nargs="+", default=[32, 64, 128, 256, 512])
    parser.add_argument("--stock-budgets", type=int, nargs="+", help="of the stock sides, where they differ")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sides", choices=SIDES, nargs="+", default=["ours", "stock"])
    parser.add_argument(
        "--strategy", choices=["random", "uncertain"], default="random", help="our order of work; stock's is random"
    )
    parser.add_argument("--epochs", type=float, default=FitConfig().epochs)
    parser.add_argument("--learning-rate", type=float, help="ours; the project's own rule if not given")
    parser.add_argument("--variations", type=int, default=0, help="other wordings of each question to learn from")
    parser.add_argument("--stock-epochs", type=float, default=3.0, help="Trainer's default")
    parser.add_argument("--stock-learning-rate", type=float, default=5e-5, help="Trainer's default")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds-file", type=Path)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    return parser.parse_args()


def main() -> None:
    options = parse()
    import torch

    torch.set_num_threads(options.threads or torch.get_num_threads())
    pool = read_rows(options.labels, options.label_rows)
    test = [to_gold(i, row) for i, row in enumerate(read_rows(options.test, options.test_rows))]
    setting = Setting(pool, test, options.base, options)
    kept = RoundsFile(options.rounds_file, fingerprints(options))
    start = untrained(setting, kept)
    if not options.json:
        figures = "  ".join(f"{name} {100 * start[name]:.1f}" for name in FIGURES)
        print(f"{len(pool)} rows to label, {len(test)} to test on; the base: {figures}", flush=True)
    points = [point for seed in options.seeds for side in options.sides for point in play(setting, side, seed, kept)]
    print(
        json.dumps({"base": options.base, "pool": len(pool), "test": len(test), "untrained": start, **compare(points)})
    )


if __name__ == "__main__":
    main()
