"""Ten iterations in a row through the gate, with simulated models: how often it promotes, and how far a promoted release lets a slice fall.

    python benchmarks/gate_simulation.py [--runs 8] [--questions 60 200 500] [--json]

A simulated model answers a test question right when the question's difficulty plus the model's own luck lies under its skill. On answerable
questions (60 %) skill grows from one iteration to the next (``gaining``) or does not (``standing``); on the others it never does. So every
fall is luck of training, as between two seeds. The last line is JSON.
"""

import argparse
import json
import random
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.iterations.gate import Evidence, Measured, decide
from webapp.iterations.watched import Watched

ITERATIONS = 10
LUCK = 0.7  # standard deviation beside a difficulty of 1
NAMES = {"f1": "F1"}


@dataclass(frozen=True)
class Played:
    """``worst_fall``: of a slice, from the release it replaced; ``under_best``: the last champion under the best of each slice."""

    decisions: Counter[str]
    worst_fall: float
    under_best: float


def play(seed: int, questions: int, gain: float) -> Played:
    chance = random.Random(seed)
    answerable = int(0.6 * questions)
    slices = {"answerable": range(answerable), "unanswerable": range(answerable, questions)}
    difficulty = [chance.gauss(0, 1) for _ in range(questions)]

    def model(number: int) -> list[float]:
        skill = [-0.5 + gain * number if place < answerable else 0.7 for place in range(questions)]
        return [float(hard + chance.gauss(0, LUCK) < able) for hard, able in zip(difficulty, skill, strict=True)]

    champions, decisions, worst = [model(0)], Counter[str](), 0.0
    for number in range(1, ITERATIONS + 1):
        champion, candidate = champions[-1], model(number)
        decision = judge(champions, candidate, slices)
        decisions[decision] += 1
        if decision == "promote":
            worst = max(worst, *(mean(champion, places) - mean(candidate, places) for places in slices.values()))
            champions.append(candidate)
    best = (max(mean(one, places) for one in champions) - mean(champions[-1], places) for places in slices.values())
    return Played(decisions, worst, max(best))


def judge(champions: list[list[float]], candidate: list[float], slices: dict[str, range]) -> str:
    champion, watched = champions[-1], []
    for name, places in slices.items():
        after = [candidate[place] for place in places]
        best = max(champions, key=lambda one: mean(one, places))
        for kind, reference in (("guard", champion), ("slice", champion), ("best", best)):
            watched.append(Watched(name, [reference[place] for place in places], after, kind=kind))
    before, after = (measured(one, slices) for one in (champion, candidate))
    guards = {
        "answerable_f1": (0.05, len(slices["answerable"])),
        "unanswerable_accuracy": (0.10, len(slices["unanswerable"])),
    }
    return decide(before, after, metric="f1", names=NAMES, guards=guards, evidence=Evidence(watched)).decision


def measured(scores: list[float], slices: dict[str, range]) -> Measured:
    metrics = {"f1": sum(scores) / len(scores), "answerable_f1": mean(scores, slices["answerable"])}
    return Measured({**metrics, "unanswerable_accuracy": mean(scores, slices["unanswerable"])}, scores)


def mean(scores: list[float], places: range) -> float:
    return sum(scores[place] for place in places) / len(places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--questions", type=int, nargs="+", default=[60, 200, 500])
    parser.add_argument("--json", action="store_true", help="print the last line only")
    options = parser.parse_args()
    lines = []
    for questions in options.questions:
        for name, gain in (("gaining", 0.12), ("standing", 0.0)):
            played = [play(seed, questions, gain) for seed in range(options.runs)]
            decisions: Counter[str] = sum((one.decisions for one in played), Counter())
            line = {
                "questions": questions, "models": name, "runs": options.runs, **{key: decisions[key] for key in ("promote", "hold", "ask")},
                "worst_fall": max(one.worst_fall for one in played), "under_best": max(one.under_best for one in played),
            }  # fmt: skip
            lines.append(line)
            if not options.json:
                print(
                    f"{questions:4} questions, {name:8}: {line['promote']:3} promoted, {line['hold']:3} held, {line['ask']:3} asked; a slice of a "
                    f"promoted release fell by {100 * line['worst_fall']:.1f} points at most, and ended {100 * line['under_best']:.1f} under its best"
                )
    print(json.dumps({"simulated": lines}))


if __name__ == "__main__":
    main()
