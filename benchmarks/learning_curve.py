"""What a label is worth: our loop beside the stock recipe, at growing numbers of labels, over several seeds.

    python benchmarks/learning_curve.py --labels FILE --label-rows split=train --test FILE --test-rows split=test
        [--base reader] [--budgets 32 64 128 256 512] [--seeds 0 1 2] [--sides ours stock] [--rounds-file FILE] [--picture FILE] [--json]

Gold rows play the annotator, and every question comes with its own context: nothing is retrieved, so reading is compared and nothing
else (`errata replay` plays the whole loop). Both sides start from one base and are given the same number of labels of one pool.

``ours``             every label: answers as they are, "not answerable" as abstention rows; one in seven only judges: it chooses the
                     best state, and the model before stays in service where it is surely better
``ours_positives``   the same without the labels that reject or say "not answerable"
``stock``            a plain ``Trainer`` with its default settings on accepted and corrected rows only, in random order
``stock_all``        the same on every label, as a fine-tuning script takes a SQuAD 2.0 file

A row whose gold has an answer is accepted or corrected: one training row either way. A row without an answer is accepted where the untrained
base says "not answerable", and rejected where it gives one. ``--rounds-file`` keeps every finished point: the same command again goes on after them. The last line is JSON.
"""

import argparse
import functools
import gzip
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
from benchmarks.curve_options import fingerprints, parse
from benchmarks.rounds_file import RoundsFile
from retriever.embedder import load_embedder
from retriever.similarity import SentenceSimilarity
from training.answerers import load_answerer
from training.lessons import Lessons
from training.safety import resolve_base
from training.tasks import get_task, qa
from training.types import Example, FitConfig, Gold, Target
from training.variations import variations

TASK: Any = get_task("qa")
VALIDATION_EVERY = 7  # one label in so many chooses the best state and the threshold
LOOKED_AT = 2  # questions that an uncertain choice looks at for each label
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
    predictions: list[Any] = TASK.predict(answerer, [gold.input for gold in golds])
    return predictions


def choose(setting: Setting, chosen: list[int], count: int, *, seed: int, answerer: Any) -> list[int]:
    """``count`` more rows for people to label: any, or those the newest model is least sure of among twice as many."""
    order = list(range(len(setting.pool)))
    Random(seed).shuffle(order)
    rest = [i for i in order if i not in set(chosen)]
    if setting.options.strategy == "random":
        return rest[:count]
    looked_at = rest[: count * LOOKED_AT]
    predictions = predict(answerer, [to_gold(i, setting.pool[i]) for i in looked_at])
    unsure = sorted(zip(predictions, looked_at, strict=True), key=lambda pair: abs(pair[0].answerable_score - 0.5))
    return [i for _, i in unsure][:count]


def usable(setting: Setting, chosen: Sequence[int], side: str) -> list[int]:
    return [i for i in chosen if side == "ours" or not setting.pool[i]["is_impossible"]]


def held_out(setting: Setting, chosen: Sequence[int]) -> list[Gold]:
    return [to_gold(i, setting.pool[i]) for i in chosen[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]]


def train_ours(setting: Setting, chosen: Sequence[int], *, seed: int, side: str) -> Any:
    """Our loop's training: from the base, on all labels so far, the best state and the threshold chosen on one in seven of them."""
    options, pool = setting.options, setting.pool
    kept = usable(setting, chosen, side)
    validation = held_out(setting, kept)
    held = {int(gold.id) for gold in validation}
    rows = [to_example(pool[i], i) for i in kept if i not in held]
    rows += [varied for row in rows for varied in vary(row, options.variations, seed)]
    config = FitConfig(epochs=options.epochs, learning_rate=options.learning_rate, seed=seed, save_every_s=1e9)
    answerer = load(setting.base, seed)
    with tempfile.TemporaryDirectory() as folder:
        TASK.fit(
            answerer, rows, validation, folder=Path(folder), config=config, report=quiet, log=quiet,
            lessons=Lessons(similarity=options.similarity == "on", abstention=options.abstention == "on"),
        )  # fmt: skip
    return answerer


def vary(row: Example, count: int, seed: int) -> list[Example]:
    texts = variations(row.text, count, seed=seed) if count else []
    return [Example(text, row.passage, row.target, row.weight, row.kind, row.label) for text in texts]


def quiet(*_: Any) -> None: ...


def train_stock(setting: Setting, chosen: Sequence[int], *, seed: int, side: str) -> Any:
    """The stock recipe: ``Trainer`` with its defaults on the model's own loss, no validation, no choice of state."""
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments

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
        trainer = Trainer(answerer.model, arguments, train_dataset=rows, data_collator=stock_batch)
        trainer.remove_callback(PrinterCallback)  # only the last line is printed
        trainer.train()
    answerer.model.eval()
    return answerer


def load(base: str, seed: int) -> Any:
    return load_answerer(resolve_base(base, Path("unused")), TASK, seed=seed, similarity=similarity())


@functools.cache
def similarity() -> SentenceSimilarity:
    return SentenceSimilarity(load_embedder("minilm"))


def measure(answerer: Any, test: Sequence[Gold]) -> dict[str, float]:
    scores: dict[str, float] = TASK.score(predict(answerer, test), test)
    return scores


def play(setting: Setting, side: str, seed: int, kept: RoundsFile) -> list[Point]:
    """One curve: a point for each budget, those already kept read instead of trained again."""
    points: list[Point] = []
    served = None
    budgets = budgets_of(setting, side)
    for place, budget in enumerate(budgets, 1):
        # Earlier rounds decide what is in service before one of ours; to the stock recipe they are nothing.
        rounds = [budget] if side.startswith("stock") else budgets[:place]
        point = kept.find(side, seed, rounds)
        if point is None:
            before = points[-1] if points else Point(side, seed, 0, {})
            served = served or serve_again(setting, before)
            point, served = next_point(setting, before, served, budget)
            kept.add(point, rounds)
        points.append(point)
        if not setting.options.json:
            figures = "  ".join(f"{name} {100 * point.metrics[name]:5.1f}" for name in FIGURES)
            print(f"{side:15} seed {seed}  {budget:4} labels  {figures}  {point.seconds:6.0f} s", flush=True)
    return points


def serve_again(setting: Setting, point: Point) -> Any:
    """The model in service after ``point``, trained again; the base where nothing better came out yet."""
    if point.side.startswith("stock") or point.served_from == 0:
        return load(setting.base, point.seed)
    return train_ours(setting, point.chosen[: point.served_from], seed=point.seed, side=point.side)


def next_point(setting: Setting, before: Point, served: Any, budget: int) -> tuple[Point, Any]:
    """Label up to ``budget``, train, and measure what is then in service: for our sides the better of the new and the old model."""
    began, side, seed = time.monotonic(), before.side, before.seed
    chosen = list(before.chosen)
    chosen += choose(setting, chosen, budget - len(chosen), seed=seed, answerer=served)
    is_stock = side.startswith("stock")
    trained = (train_stock if is_stock else train_ours)(setting, chosen, seed=seed, side=side)
    is_promoted = is_stock or not is_worse(trained, served, held_out(setting, usable(setting, chosen, side)))
    served, served_from = (trained, budget) if is_promoted else (served, before.served_from)
    metrics = measure(served, setting.test)
    return Point(side, seed, budget, metrics, tuple(chosen), time.monotonic() - began, served_from), served


def is_worse(new: Any, old: Any, golds: Sequence[Gold]) -> bool:
    """Whether the labels held out from its training show that ``new`` selects worse: so few cannot show that it is better."""
    return bool(golds) and qa.selection_gain(predict(old, golds), predict(new, golds), golds).high < 0


def untrained(setting: Setting, kept: RoundsFile) -> dict[str, float]:
    point = kept.find("base", 0, [0])
    if point is None:
        began = time.monotonic()
        point = Point("base", 0, 0, measure(load(setting.base, 0), setting.test), (), time.monotonic() - began)
        kept.add(point, [0])
    return point.metrics


def budgets_of(setting: Setting, side: str) -> list[int]:
    options = setting.options
    wanted = options.stock_budgets if side.startswith("stock") and options.stock_budgets else options.budgets
    return sorted(budget for budget in wanted if budget <= len(setting.pool))


def picture(points: Sequence[Point], start: dict[str, float]) -> str:
    """A line for each side and seed, all from the untrained base."""
    from webapp.iterations.replay_curve import Line, draw

    named: dict[tuple[str, int], list[tuple[int, dict[str, float]]]] = {}
    for point in points:
        named.setdefault((point.side, point.seed), [(0, start)]).append((point.labels, point.metrics))
    return draw([Line(f"{side}, seed {seed}", tuple(curve)) for (side, seed), curve in named.items()])


def main() -> None:
    options = parse(__doc__)
    import torch

    torch.set_num_threads(options.threads or torch.get_num_threads())
    pool = read_rows(options.labels, options.label_rows)
    measured = read_rows(options.test, options.test_rows)
    Random(0).shuffle(measured)
    test = [to_gold(i, row) for i, row in enumerate(measured[: options.test_limit])]
    setting = Setting(pool, test, options.base, options)
    kept = RoundsFile(options.rounds_file, fingerprints(options))
    start = untrained(setting, kept)
    if not options.json:
        figures = "  ".join(f"{name} {100 * start[name]:.1f}" for name in FIGURES)
        print(f"{len(pool)} rows to label, {len(test)} to test on; the base: {figures}", flush=True)
    points = [point for seed in options.seeds for side in options.sides for point in play(setting, side, seed, kept)]
    if options.picture:
        options.picture.write_text(picture(points, start), encoding="utf-8")
    print(
        json.dumps({"base": options.base, "pool": len(pool), "test": len(test), "untrained": start, **compare(points)})
    )


if __name__ == "__main__":
    main()
