"""Ten iterations in a row, trained: what every promoted release costs the slices of the fixed test questions.

    python benchmarks/ten_iterations.py --labels FILE [--label-rows title=A,B] --test FILE [--test-rows title=C] [--fixed 150]
    python benchmarks/ten_iterations.py --world 7 --base starter --setting epochs=6 --setting passed_over=4
        [--test-limit N] [--rounds 10] [--per-round 25] [--base reader] [--seed 0] [--setting slice_noise=0] [--home FOLDER] [--json]

``--world`` takes its rows from the demo's generator, begun with another number: other restaurants, the same kinds of questions. What is played as
unanswerable there no document of the world tells; gold asks also for what its own document leaves out.
A project is made in a home of its own and the front door is used as a person would: ``--fixed`` rows that the hash of their wording keeps out
of training (of a file's label rows, drawn at random) are imported as gold, and some of these are the gate's fixed test questions; the others are
played by `errata replay`, an iteration after each round. Figures are read from what each iteration stored: F1 of the fixed test questions, of those with an answer
and of those without, before and after (the gate watches smaller slices too). A fall is what a promoted release loses against the one it replaced; ``under the best`` what the last
champion scores below the best a slice ever had. ``--home`` keeps the work, so that the same command goes on. The last line is JSON.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.learning_curve import Row, read_rows
from training.recipes import demo
from training.split import split_of

PROJECT = "Ten iterations"
SPLITS = ("train", *demo.JUDGING)
WORLD_ROWS, WORLD_TEST = 600, 60
SLICES = ("the fixed test questions", "answerable questions", "questions without an answer")


def main() -> None:
    options = parse()
    if options.home:
        options.home.mkdir(parents=True, exist_ok=True)
        measure(options, options.home)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rows = parser.add_mutually_exclusive_group(required=True)
    rows.add_argument("--labels", type=Path, help="gold JSON lines (.gz too) that play the annotator")
    rows.add_argument("--world", type=int, help="the demo's generator instead, begun with this number")
    parser.add_argument("--label-rows", metavar="FIELD=VALUE,...", help="only these rows of it")
    parser.add_argument("--test", type=Path, help="gold JSON lines to measure every champion on; with --labels")
    parser.add_argument("--test-rows", metavar="FIELD=VALUE,...", help="only these rows of it")
    parser.add_argument("--test-limit", type=int, help="so many of them, drawn at random; all if not given")
    parser.add_argument("--fixed", type=int, default=150, help="label rows that are imported as gold instead of played")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--per-round", type=int, default=25)
    parser.add_argument("--base", default="reader", help="starter, reader or a model folder")
    parser.add_argument("--seed", type=int, default=0, help="of the rows, the choice of questions and training")
    parser.add_argument("--setting", metavar="NAME=VALUE", action="append", default=[], help="a setting of the project")
    parser.add_argument("--home", type=Path, help="keep the home folder here")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    options = parser.parse_args()
    if (options.labels is None) != (options.test is None):
        parser.error("--labels and --test go together; --world brings its own questions.")
    return options


def measure(options: argparse.Namespace, home: Path) -> None:
    played, test = prepare(options, home)
    replayed = errata(
        home, "replay", PROJECT, "--gold", played, "--test", test, "--rounds", options.rounds, "--per-round",
        options.per_round, "--seed", options.seed,
    )  # fmt: skip
    steps = read_steps(home / "errata.sqlite3")
    if not steps:
        raise SystemExit("No iteration was compared; the rounds say why: " + json.dumps(replayed["rounds"]))
    if not options.json:
        for step in steps:
            slices = "  ".join(
                f"{name} {before:.3f} -> {after:.3f}" for name, (before, after) in step["slices"].items()
            )
            print(f"iteration {step['iteration']:2} {step['decision']:8} {slices}")
    print(
        json.dumps({"seed": options.seed, "settings": options.setting, **summary(steps), "rounds": replayed["rounds"]})
    )


def prepare(options: argparse.Namespace, home: Path) -> tuple[Path, Path]:
    """The project with its gold, made once, and the files to play and to test on."""
    played, fixed, test = (home / f"{name}.jsonl" for name in ("played", "fixed", "test"))
    if not test.exists():
        rows, judging, tested = world(options) if options.labels is None else files(options)
        if not (home / "errata.sqlite3").exists():
            errata(home, "project", "create", PROJECT, "--task", "qa", "--base", options.base)
        if options.setting:
            errata(home, "project", "set", PROJECT, *options.setting)
        write(played, rows)
        write(fixed, judging)
        errata(home, "import", PROJECT, fixed, "--kind", "gold")
        Random(0).shuffle(tested)
        write(test, tested[: options.test_limit])
    return played, test


def files(options: argparse.Namespace) -> tuple[list[Row], list[Row], list[Row]]:
    """The rows to play, those to judge by, and those to test on."""
    rows = read_rows(options.labels, options.label_rows)
    Random(options.seed).shuffle(rows)
    judging = [row for row in rows if split_of(row["question"]) != "train"][: options.fixed]
    return [row for row in rows if row not in judging], judging, read_rows(options.test, options.test_rows)


def world(options: argparse.Namespace) -> tuple[list[Row], list[Row], list[Row]]:
    """The same of a world of the generator: none is played as unanswerable that another document answers."""
    random = Random(options.world)
    places = demo.restaurants(random)
    told = demo.documents(random, places)
    judging = demo.gold(random, told, taken=set(), count=options.fixed + WORLD_TEST)
    asked = {row["question"].casefold() for row in judging}
    drawn = demo.gold(random, told, taken=asked, count=WORLD_ROWS, splits=SPLITS)
    answered = [row for row in drawn if not row["is_impossible"]]
    asked |= {row["question"].casefold() for row in answered}
    silent = demo.untold(random, places, told, taken=asked, count=WORLD_ROWS - len(answered))
    return answered + silent, judging[WORLD_TEST:], judging[:WORLD_TEST]


def write(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def errata(home: Path, *arguments: object) -> dict[str, Any]:
    """What a command printed with ``--json``, in a home of its own."""
    command = [sys.executable, "-m", "webapp.cli", *map(str, arguments), "--json"]
    environment = {**os.environ, "ERRATA_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"errata {' '.join(map(str, arguments))} failed: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def read_steps(database: Path) -> list[dict[str, Any]]:
    """Every iteration's decision and, of each slice of the fixed test questions, the mean F1 before and after."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        iterations = connection.execute(
            "SELECT i.id, i.number, i.gate, max(r.promoted_at) FROM iteration i JOIN release r ON r.iteration_id = i.id "
            "GROUP BY i.id ORDER BY i.number"
        ).fetchall()
        steps = []
        for identity, number, gate, promoted_at in iterations:
            rows = [
                (json.loads(gold), json.loads(before)["f1"], json.loads(after)["f1"])
                for gold, before, after in connection.execute(
                    "SELECT gold, before, after FROM evaluation_row WHERE iteration_id = ? AND split = 'fixed'",
                    (identity,),
                )
            ]
            parts = (rows, [row for row in rows if row[0]], [row for row in rows if not row[0]])
            means = {
                name: (sum(row[1] for row in part) / len(part), sum(row[2] for row in part) / len(part))
                for name, part in zip(SLICES, parts, strict=True)
                if part
            }
            steps.append(
                {
                    "iteration": number, "decision": json.loads(gate)["decision"], "is_promoted": promoted_at is not None,
                    "slices": means, "questions": {name: len(part) for name, part in zip(SLICES, parts, strict=True)},
                }
            )  # fmt: skip
        return steps


def summary(steps: list[dict[str, Any]]) -> dict[str, Any]:
    promoted = [step for step in steps if step["is_promoted"]]
    falls = [
        (before - after, name, step["iteration"])
        for step in promoted
        for name, (before, after) in step["slices"].items()
    ]
    worst = max(falls, default=(0.0, "", 0))
    best = {
        name: max([steps[0]["slices"][name][0], *(step["slices"][name][1] for step in promoted)])
        for name in steps[0]["slices"]
    }
    last = promoted[-1]["slices"] if promoted else {}
    return {
        "iterations": len(steps), "promoted": len(promoted), "decisions": [step["decision"] for step in steps],
        "questions": steps[0]["questions"], "worst_fall": {"points": 100 * worst[0], "slice": worst[1], "iteration": worst[2]},
        "under_the_best": {name: 100 * (best[name] - after) for name, (_, after) in last.items()},
        "gained": {name: 100 * (after - steps[0]["slices"][name][0]) for name, (_, after) in last.items()},
    }  # fmt: skip


if __name__ == "__main__":
    main()
