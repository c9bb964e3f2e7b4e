"""The options of ``learning_curve.py``, and what of them decides a point."""

import argparse
import hashlib
from pathlib import Path
from typing import Any

from training.types import FitConfig

SIDES = ("ours", "ours_positives", "stock", "stock_all")


LEARNING = ("training/**/*.py", "retriever/*.py", "benchmarks/*.py")


def code() -> str:
    """A hash of what trains and measures: points of another state of it are other points."""
    root = Path(__file__).resolve().parent.parent
    paths = sorted(path for pattern in LEARNING for path in root.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def fingerprints(options: argparse.Namespace) -> dict[str, str]:
    """Of each side: the files, the base, the settings and the code that change its points."""
    files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (options.labels, options.test)]
    shared = [code(), *files, options.label_rows, options.test_rows, options.test_limit, options.base]
    ours = [options.strategy, options.epochs, options.learning_rate, options.variations, options.similarity]
    ours += [] if options.abstention == "on" else ["judging only"]
    stock = [options.stock_epochs, options.stock_learning_rate]
    own: dict[str, list[Any]] = {"base": [], **{side: stock if side.startswith("stock") else ours for side in SIDES}}
    return {side: hashlib.sha256(repr((shared, settings)).encode()).hexdigest()[:16] for side, settings in own.items()}


def parse(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="gold JSON lines (.gz too) that play the annotator")
    parser.add_argument("--label-rows", metavar="FIELD=VALUE,...", help="only these rows of it")
    parser.add_argument(
        "--test", type=Path, required=True, help="gold JSON lines to measure on; never chosen or trained on"
    )
    parser.add_argument("--test-rows", metavar="FIELD=VALUE,...", help="only these rows of it")
    parser.add_argument(
        "--test-limit", type=int, help="measure on so many of them, drawn at random once; all if not given"
    )
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
    parser.add_argument(
        "--similarity",
        choices=["on", "off"],
        default="on",
        help="ours: may the likeness of question and passage count?",
    )
    parser.add_argument(
        "--abstention",
        choices=["on", "off"],
        default="on",
        help='ours: are labels that say "not answerable" learned, or do they only judge?',
    )
    parser.add_argument("--stock-epochs", type=float, default=3.0, help="Trainer's default")
    parser.add_argument("--stock-learning-rate", type=float, default=5e-5, help="Trainer's default")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds-file", type=Path)
    parser.add_argument("--picture", type=Path, help="draw the curves of every side and seed into this SVG file")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    return parser.parse_args()
