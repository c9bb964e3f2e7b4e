"""What people's marks are worth: real feedback learned round by round, beside the rows marked "Correct" alone.

    python benchmarks/feedback_rounds.py --feedback FILE --test FILE [--base reader] [--seeds 0 1 2] [--rounds 1 2 3 4] [--limit N]
        [--rounds-file FILE] [--json]

``marks``    every mark, as `errata import --kind feedback` weighs it: Correct 1, Partially Correct 0.5, Wrong -0.1 (a rejected answer)
``correct``  the rows marked Correct and nothing else, weight 1, by the same training

Either side trains from the base on all rounds so far, contexts given. One Correct row in seven is kept out of both sides' training: it
chooses the best state, and the base is served where it is surely better. The marks were given to another system's answers, so this
measures learning from them, not what marks of our own answers would be worth. The last line is JSON.
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
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.curve_figures import FIGURES, Point, compare
from benchmarks.curve_options import code
from benchmarks.learning_curve import TASK, VALIDATION_EVERY, is_worse, load, measure, quiet, read_rows, to_gold
from benchmarks.rounds_file import RoundsFile
from training.lessons import Lessons, Material
from training.types import Example, FitConfig, Gold, Target
from webapp.label.feedback import clean_prediction, decide

SIDES = ("marks", "correct")
Mark = tuple[int, Example]  # the round it was given in, and what it teaches


def read_marks(path: Path, limit: int | None) -> list[Mark]:
    """The file's rows in the order of their rounds; with ``limit``, so many drawn at random."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in content.splitlines() if line.strip()]
    if limit:
        Random(0).shuffle(rows)
    marks = [(int(row.get("round", 1)), to_example(row, number)) for number, row in enumerate(rows[:limit])]
    return sorted(marks, key=lambda mark: mark[0])


def to_example(row: dict[str, Any], label: int) -> Example:
    decision, weight = decide(row["feedback"])
    said = clean_prediction(row["prediction"])
    kind = "reject" if decision == "wrong_answer" else "accept"
    return Example(row["question"], row["context"], Target(said, bool(said)), weight, kind, label)


def is_correct(example: Example) -> bool:
    return example.weight == 1.0


def split(marks: Sequence[Mark], number: int) -> tuple[list[Example], list[Gold]]:
    """What rounds 1 to ``number`` give to learn from and to judge by; the same for both sides."""
    so_far = [example for given, example in marks if given <= number]
    correct = [example for example in so_far if is_correct(example)]
    judging = correct[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]
    held = {example.label for example in judging}
    golds = [Gold(str(e.label), e.text, (e.passage,), (e.target.text,) if e.target.answerable else ()) for e in judging]
    return [example for example in so_far if example.label not in held], golds


def train(
    options: argparse.Namespace, examples: Sequence[Example], golds: Sequence[Gold], *, side: str, seed: int
) -> Any:
    answerer = load(options.base, seed)
    taught = [example for example in examples if example.kind == "accept" and (side == "marks" or is_correct(example))]
    rejects = tuple(example for example in examples if example.kind == "reject")
    is_taught = side == "marks"
    config = FitConfig(epochs=options.epochs, seed=seed, save_every_s=1e9)
    with tempfile.TemporaryDirectory() as folder:
        TASK.fit(
            answerer, taught, golds, folder=Path(folder), config=config, report=quiet, log=quiet,
            lessons=Lessons(rejects=is_taught), material=Material(rejects=rejects if is_taught else ()),
        )  # fmt: skip
    return answerer


def play(options: argparse.Namespace, marks: Sequence[Mark], test: Sequence[Gold], kept: RoundsFile) -> list[Point]:
    points = []
    for seed in options.seeds:
        for side in SIDES:
            for number in options.rounds:
                point = kept.find(side, seed, [number])
                if point is None:
                    point = next_point(options, marks, test, Point(side, seed, number, {}))
                    kept.add(point, [number])
                points.append(point)
                if not options.json:
                    figures = "  ".join(f"{name} {100 * point.metrics[name]:5.1f}" for name in FIGURES)
                    print(
                        f"{side:8} seed {seed}  {point.labels:4} marks  {figures}  {point.seconds:6.0f} s", flush=True
                    )
    return points


def next_point(options: argparse.Namespace, marks: Sequence[Mark], test: Sequence[Gold], wanted: Point) -> Point:
    """The rounds up to ``wanted.labels`` learned, and what is served then: the new model unless it is surely worse than the base."""
    began, side, seed = time.monotonic(), wanted.side, wanted.seed
    examples, golds = split(marks, wanted.labels)
    new, base = train(options, examples, golds, side=side, seed=seed), load(options.base, seed)
    is_served = not is_worse(new, base, golds)
    labels = sum(given <= wanted.labels for given, _ in marks)
    metrics = measure(new if is_served else base, test)
    return Point(side, seed, labels, metrics, (), time.monotonic() - began, labels if is_served else 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feedback", type=Path, required=True, help="rows of question, context, prediction, feedback")
    parser.add_argument("--test", type=Path, required=True, help="gold JSON lines to measure on")
    parser.add_argument("--test-limit", type=int, help="so many of them, drawn at random once")
    parser.add_argument("--limit", type=int, help="so many marks, drawn at random once")
    parser.add_argument("--rounds", type=int, nargs="+", default=[1, 2, 3, 4], help="train after these")
    parser.add_argument("--base", default="reader")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=float, default=FitConfig().epochs)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds-file", type=Path)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads or torch.get_num_threads())
    measured = read_rows(options.test, None)
    Random(0).shuffle(measured)
    test = [to_gold(i, row) for i, row in enumerate(measured[: options.test_limit])]
    marks = read_marks(options.feedback, options.limit)
    files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (options.feedback, options.test)]
    decides = repr((code(), files, options.test_limit, options.limit, options.base, options.epochs))
    key = hashlib.sha256(decides.encode()).hexdigest()[:16]
    kept = RoundsFile(options.rounds_file, dict.fromkeys((*SIDES, "base"), key))
    start = kept.find("base", 0, [0])
    if start is None:
        start = Point("base", 0, 0, measure(load(options.base, 0), test))
        kept.add(start, [0])
    if not options.json:
        print(f"{len(marks)} marks, {len(test)} to test on; the base: {start.metrics}", flush=True)
    points = play(options, marks, test, kept)
    print(
        json.dumps(
            {
                "base": options.base,
                "marks": len(marks),
                "test": len(test),
                "untrained": start.metrics,
                **compare(points),
            }
        )
    )


if __name__ == "__main__":
    main()
