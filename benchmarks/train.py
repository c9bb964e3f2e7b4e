"""An iteration's training against a stock ``Trainer``: time to equal validation F1, tokens per second, peak memory.

    python benchmarks/train.py [--model starter|reader|FOLDER] [--train FILE --validation FILE] [--epochs E] [--json]

The stock side is what a fine-tuning script does: random batches of 16 rows, right-padded, loss on every token (a span model:
the model's own loss), 32-bit floats. Each side trains in a process of its own on the same rows, the same epochs and learning
rate; validation passes use the same reader and their time is not counted. Times are processor seconds, which other work on a
shared machine disturbs least; wall seconds stand beside them. The last line holds the figures as JSON.
"""

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.answerers import load_answerer
from training.fit import fit
from training.generator.rows import golds, rehearsal
from training.judge import Judge
from training.recipes.levels import labels
from training.safety import resolve_base
from training.tasks import get_task, qa
from training.types import Example, FitConfig, Gold, Target

TASK = get_task("qa")
STOCK_ROWS = 16
Row = dict[str, Any]


def an_iteration(count: int) -> list[Example]:
    """What the demo's first iteration trains on: labels of question families the starter was never shown, and rehearsal."""
    return [*labels(count // 3, 6000), *rehearsal(count - count // 3, 3000)]


def read_rows(path: Path) -> list[Row]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.splitlines()]


def to_example(row: Row) -> Example:
    answer = row["answers"][0] if row["answers"] else None
    target = Target(answer["text"], start=answer["start"]) if answer else Target("", answerable=False)
    return Example(row["question"], row["context"], target)


def to_gold(number: int, row: Row) -> Gold:
    return Gold(str(number), row["question"], (row["context"],), tuple(answer["text"] for answer in row["answers"]))


class Curve:
    """Validation F1 against processor seconds of training, both clocks stopped while validating."""

    def __init__(self, answerer: Any, validation: Sequence[Gold]) -> None:
        self.answerer, self.golds, self.points = answerer, validation, []
        self.began = (time.process_time(), time.monotonic())
        self.paused = (0.0, 0.0)

    def seconds(self) -> tuple[float, float]:
        now = (time.process_time(), time.monotonic())
        return now[0] - self.began[0] - self.paused[0], now[1] - self.began[1] - self.paused[1]

    def measure(self) -> dict[str, float]:
        before = self.seconds()
        scores = qa._validate(self.answerer, self.golds)
        self.points.append((round(before[0], 2), round(scores["validation_f1"], 4)))
        after = self.seconds()
        self.paused = (self.paused[0] + after[0] - before[0], self.paused[1] + after[1] - before[1])
        return scores

    def figures(self, tokens: int, steps: int) -> dict[str, Any]:
        processor, wall = self.seconds()
        return {"tokens": tokens, "seconds": processor, "wall_s": round(wall, 1), "points": self.points, "steps": steps}


def train_ours(
    answerer: Any, examples: Sequence[Example], validation: Sequence[Gold], config: FitConfig
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        curve = Curve(answerer, validation)
        done = fit(
            answerer,
            examples,
            judge=Judge(curve.measure),
            folder=Path(folder),
            config=config,
            report=lambda *_: None,
            log=lambda _: None,
        )
        return curve.figures(done.tokens, done.steps)


def train_stock(
    answerer: Any, examples: Sequence[Example], validation: Sequence[Gold], config: FitConfig
) -> dict[str, Any]:
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    rows = [stock_row(answerer, row) for row in answerer.encode(examples)]
    steps = -(-len(rows) // STOCK_ROWS) * round(config.epochs)
    points = {round(steps * k / config.evaluations) for k in range(1, config.evaluations + 1)}
    counted = {"tokens": 0}

    def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        batch = stock_batch(items)
        counted["tokens"] += batch["input_ids"].numel()
        return batch

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step in points:
                curve.measure()

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=STOCK_ROWS,
            num_train_epochs=config.epochs,
            seed=config.seed,
            learning_rate=config.learning_rate,
            warmup_steps=round(steps * config.warmup_fraction),
            save_strategy="no",
            weight_decay=config.weight_decay,
            report_to="none",
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
        )
        trainer = Trainer(answerer.model, arguments, train_dataset=rows, data_collator=collate, callbacks=[Watch()])
        curve = Curve(answerer, validation)
        trainer.train()
        return curve.figures(counted["tokens"], steps)


def stock_batch(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows of :func:`stock_row` padded on the right to the longest."""
    import torch

    width = max(len(item["input_ids"]) for item in items)
    fill = {"labels": -100}
    return {
        name: torch.tensor(
            [
                item[name] + [fill.get(name, 0)] * (width - len(item[name]))
                if isinstance(item[name], list)
                else item[name]
                for item in items
            ]
        )
        for name in items[0]
    }


def stock_row(answerer: Any, row: Any) -> dict[str, Any]:
    """The same tokens with the labels a plain script would give: every token for a causal model."""
    ids = list(row.input_ids)
    kind = answerer.settings.architecture
    if kind == "span":
        segments = [int(i >= row.split) for i in range(len(ids))]
        places = {"start_positions": row.labels[0], "end_positions": row.labels[1]}
        return {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": segments, **places}
    labels = ids if kind == "causal" else list(row.labels)
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels}


def run_side(side: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train one side in this process and return its figures."""
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    train = [to_example(row) for row in read_rows(options.train)] if options.train else an_iteration(options.rows)
    if options.validation:
        validation = [to_gold(i, row) for i, row in enumerate(read_rows(options.validation))]
    else:
        validation = golds(labels(100, 7000))
    answerer = load_answerer(resolve_base(options.model, Path("unused")), TASK)
    config = FitConfig(
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        evaluations=options.evaluations,
        seed=options.seed,
        batch_tokens=options.batch_tokens,
        save_every_s=1e9,
    )
    run = train_ours if side == "ours" else train_stock
    figures = run(answerer, train, validation, config)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**figures, "peak_mb": round(peak), "tokens_per_s": round(figures["tokens"] / figures["seconds"])}


def time_to(points: Sequence[tuple[float, float]], f1: float) -> float | None:
    return next((seconds for seconds, reached in points if reached >= f1), None)


def compare(ours: dict[str, Any], stock: dict[str, Any]) -> dict[str, Any]:
    """Seconds of both sides to the F1 that the weaker side reaches at its best."""
    target = min(max(f1 for _, f1 in side["points"]) for side in (ours, stock))
    ours_s, stock_s = time_to(ours["points"], target), time_to(stock["points"], target)
    return {
        "equal_f1": target,
        "ours_s_to_equal_f1": ours_s,
        "stock_s_to_equal_f1": stock_s,
        "ratio": round(stock_s / ours_s, 2) if ours_s and stock_s else None,
        "ours_s": round(ours["seconds"], 1),
        "stock_s": round(stock["seconds"], 1),
        "ours_wall_s": ours["wall_s"],
        "stock_wall_s": stock["wall_s"],
        "ours_tokens_per_s": ours["tokens_per_s"],
        "stock_tokens_per_s": stock["tokens_per_s"],
        "ours_peak_mb": ours["peak_mb"],
        "stock_peak_mb": stock["peak_mb"],
        "ours_f1": ours["points"][-1][1],
        "stock_f1": stock["points"][-1][1],
        "ours_curve": ours["points"],
        "stock_curve": stock["points"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="starter", help="starter, reader or a model folder")
    parser.add_argument(
        "--train", type=Path, help="gold JSON lines (.gz too); the demo's first iteration when left out"
    )
    parser.add_argument("--validation", type=Path)
    parser.add_argument("--rows", type=int, default=360)
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--evaluations", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", choices=["ours", "stock"], help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(run_side(options.side, options)))
        return
    results = {}
    for side in ("stock", "ours"):
        command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
        results[side] = json.loads(
            subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        )
        if not options.json:
            print(side, results[side])
    print(json.dumps({"model": Path(options.model).name, **compare(results["ours"], results["stock"])}))


if __name__ == "__main__":
    main()
