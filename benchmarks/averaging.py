"""What an average of a run's weights is worth, against its last state, and mixed with the base's weights.

    python benchmarks/averaging.py --labels FILE [--label-rows split=train] [--test FILE] [--test-rows split=dev] [--count 128] [--seeds 0 1]
        [--learning-rate 2.5e-4] [--shares 0.65 0.8] [--base reader] [--threads 1] [--json]

Gold rows play the annotator, as in ``learning_curve.py``. One run of each seed, without validation; every state is then measured on
the test rows, so nothing is chosen here. Without ``--test`` the first 220 of the shuffled rows are the test. The last line is JSON.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.curve_figures import FIGURES
from benchmarks.learning_curve import Row, load, measure, quiet, read_rows, to_example, to_gold
from training import averaging, checkpoints
from training.fit import fit
from training.judge import Judge
from training.types import FitConfig

TEST_ROWS = 220


def split_rows(options: argparse.Namespace) -> tuple[list[Row], list[Row]]:
    """The rows to label and the rows to measure on."""
    rows = read_rows(options.labels, options.label_rows)
    if options.test:
        return rows, read_rows(options.test, options.test_rows)
    Random(99).shuffle(rows)
    return rows[TEST_ROWS:], rows[:TEST_ROWS]


def states(
    answerer: Any, pool: Sequence[Row], *, seed: int, options: argparse.Namespace
) -> dict[str, averaging.Weights]:
    """The last state of one run, the average after its first quarter, and that average mixed with the base's weights."""
    order = list(range(len(pool)))
    Random(seed).shuffle(order)
    examples = [to_example(pool[i], i) for i in order[: options.count]]
    start, average, passed = averaging.copy_of(answerer.model), averaging.Average(), 0

    def look() -> dict[str, float]:
        nonlocal passed
        passed += 1
        if passed > averaging.BEGIN * config.evaluations:
            average.add(answerer.model)
        return {"selection": float(passed)}  # the last state counts as the best one

    config = FitConfig(learning_rate=options.learning_rate, seed=seed, save_every_s=1e9)
    last: averaging.Weights = {}

    def note(point: dict[str, float]) -> None:
        if point["fraction"] >= 1 and not last:
            last.update(averaging.copy_of(answerer.model))

    with tempfile.TemporaryDirectory() as folder:
        fit(answerer, examples, judge=Judge(look), folder=Path(folder), config=config, report=quiet, log=note)
    shares = sorted({*averaging.SHARES, *options.shares})
    mixed = {f"average, {share:.0%} of the base": averaging.mixture(start, average, share) for share in shares}
    return {"last state": last, **mixed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--label-rows", metavar="FIELD=VALUE,...")
    parser.add_argument("--test", type=Path)
    parser.add_argument("--test-rows", metavar="FIELD=VALUE,...")
    parser.add_argument("--count", type=int, default=128, help="labels to train on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--learning-rate", type=float, help="the project's own rule if not given")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[], help="more shares of the base to mix in, from 0 to 1"
    )
    parser.add_argument("--base", default="reader")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads or torch.get_num_threads())
    pool, test_rows = split_rows(options)
    test = [to_gold(i, row) for i, row in enumerate(test_rows)]
    found = []
    for seed in options.seeds:
        answerer = load(options.base, seed)
        for name, weights in states(answerer, pool, seed=seed, options=options).items():
            checkpoints.put_weights(answerer.model, weights)
            scores = measure(answerer, test)
            found.append({"seed": seed, "state": name, **{figure: scores[figure] for figure in FIGURES}})
            if not options.json:
                print(f"seed {seed}  {name:28}", "  ".join(f"{f} {100 * scores[f]:5.1f}" for f in FIGURES), flush=True)
    print(json.dumps({"labels": options.count, "test": len(test), "runs": found}))


if __name__ == "__main__":
    main()
