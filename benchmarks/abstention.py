"""How well a threshold chosen on few held-out labels serves: unanswerable questions recognised, and answerable F1 lost for it.

    python benchmarks/abstention.py --labels FILE [--label-rows split=train] --test FILE [--test-rows split=dev] [--count 256]
        [--seeds 0 1] [--held-out 36 80] [--draws 200] [--base reader] [--threads 1] [--json]

Gold rows play the annotator, as in ``learning_curve.py``, and one model of each seed is trained on ``--count`` labels. Then only thresholds
are drawn: so many of the test rows, at random, choose one as an iteration does, and the rest of them are served with it. ``passed`` is the
share of the draws in which at least 75 % of the unanswerable are recognised and answerable F1 is at most 2 points under that of the best
threshold that recognises 75 % of *those very rows*. ``known`` is beside it as the ceiling: a threshold that knows every row, the served ones
too, and recognises 75 % of them. What it does not pass, no rule can be blamed for. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.learning_curve import TASK, Setting, choose, load, predict, read_rows, to_gold, train_ours
from training import calibration, metrics, thresholds
from training.types import Gold, Prediction

LOST = 0.02
Asked = list[tuple[Prediction, Gold]]


def served(rows: Asked, threshold: float) -> tuple[float, float]:
    """The share of the unanswerable that ``threshold`` recognises, and the answerable F1 lost to the best at three quarters."""
    golds = [gold for _, gold in rows]
    scores = TASK.score([calibration.decide(prediction, threshold) for prediction, _ in rows], golds)
    return scores["unanswerable_accuracy"], scores["answerable_f1_at_75"] - scores["answerable_f1"]


def chosen(rows: Asked, near: float) -> float:
    """The threshold that an iteration chooses on ``rows``, the base having recognised no more than four in five."""
    share = thresholds.RECOGNISED + thresholds.MARGIN
    return calibration.choose_threshold([one for one, _ in rows], [gold for _, gold in rows], near=near, share=share)


def known(rows: Asked) -> float:
    negatives = [one.answerable_score for one, gold in rows if not gold.answerable]
    return metrics.threshold_at(negatives, thresholds.RECOGNISED)


def draws(rows: Asked, held_out: int, count: int, *, seed: int) -> Iterator[tuple[Asked, Asked]]:
    """``count`` times: ``held_out`` rows to choose by and the others to serve; those with one class only are passed over."""
    chooser = Random(seed)
    for _ in range(count):
        mixed = chooser.sample(rows, len(rows))
        pair = mixed[:held_out], mixed[held_out:]
        if all(len({gold.answerable for _, gold in part}) == 2 for part in pair):
            yield pair


def summary(found: Sequence[tuple[float, float]]) -> dict[str, float]:
    recognised, lost = [one for one, _ in found], [one for _, one in found]
    passed = [one >= thresholds.RECOGNISED and two <= LOST for one, two in found]
    return {
        "recognised": statistics.fmean(recognised), "spread": statistics.pstdev(recognised),
        "lost": statistics.fmean(lost), "passed": statistics.fmean(passed), "draws": len(found),
    }  # fmt: skip


def asked(options: argparse.Namespace, seed: int) -> tuple[Asked, float]:
    """Every test row as a model of ``--count`` labels answers it, and the threshold that its own held-out labels chose."""
    pool, rows = read_rows(options.labels, options.label_rows), read_rows(options.test, options.test_rows)
    golds = [to_gold(i, row) for i, row in enumerate(rows)]
    setting = Setting(pool, golds, options.base, options)
    labels = choose(setting, [], options.count, seed=seed, answerer=None)
    answerer: Any = train_ours(setting, labels, seed=seed, side="ours") if labels else load(options.base, seed)
    return list(zip(predict(answerer, golds), golds, strict=True)), float(answerer.settings.answerable_threshold)


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    found: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for seed in options.seeds:
        rows, near = asked(options, seed)
        for held_out in options.held_out:
            for judging, rest in draws(rows, held_out, options.draws, seed=seed):
                found.setdefault((held_out, "chosen"), []).append(served(rest, chosen(judging, near)))
                found.setdefault((held_out, "known"), []).append(served(rest, known(rows)))
    return [{"held_out": held_out, "threshold": way, **summary(each)} for (held_out, way), each in found.items()]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--label-rows", metavar="FIELD=VALUE,...")
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--test-rows", metavar="FIELD=VALUE,...")
    parser.add_argument("--count", type=int, default=256, help="labels to train on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--held-out", type=int, nargs="+", default=[36, 80], help="rows that choose a threshold")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--base", default="reader")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    parser.set_defaults(
        strategy="random", epochs=4.0, learning_rate=None, variations=0, similarity="on", abstention="on"
    )
    return parser.parse_args()


def main() -> None:
    options = parse()
    import torch

    torch.set_num_threads(options.threads or torch.get_num_threads())
    found = measure(options)
    for line in [] if options.json else found:
        figures = "  ".join(f"{name} {100 * line[name]:5.1f}" for name in ("recognised", "spread", "lost", "passed"))
        print(f"{line['held_out']:4} held out, {line['threshold']:6}  {figures}")
    print(json.dumps({"labels": options.count, "runs": found}))


if __name__ == "__main__":
    main()
