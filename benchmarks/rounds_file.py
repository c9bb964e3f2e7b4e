"""Finished points of learning curves, kept so that a long run goes on where it stopped."""

import json
from pathlib import Path

from benchmarks.curve_figures import Point


class RoundsFile:
    """Finished points as JSON lines, each under the fingerprint of everything that decides it and the rounds that led to it."""

    def __init__(self, path: Path | None, fingerprint: dict[str, str]) -> None:
        self.path, self.fingerprint = path, fingerprint
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        self.rows = [json.loads(line) for line in lines if line.endswith("}")]

    def find(self, side: str, seed: int, rounds: list[int]) -> Point | None:
        """The point after ``rounds``: the numbers of labels of each round so far."""
        wanted = {"fingerprint": self.fingerprint[side], "side": side, "seed": seed, "rounds": rounds}
        for row in self.rows:
            if all(row.get(name) == value for name, value in wanted.items()):
                chosen = tuple(row["chosen"])
                return Point(side, seed, row["labels"], row["metrics"], chosen, row["seconds"], row["served_from"])
        return None

    def add(self, point: Point, rounds: list[int]) -> None:
        if self.path is None:
            return
        line = json.dumps({"fingerprint": self.fingerprint[point.side], "rounds": rounds, **vars(point)})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")  # a killed run may have left half a line
