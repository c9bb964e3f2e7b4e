"""What the learning-curve benchmark makes of its points."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import write_gold

from benchmarks import learning_curve
from benchmarks.curve_figures import FIGURES, Point, area, compare, interval, labels_needed
from benchmarks.rounds_file import RoundsFile


def curve(side: str, seed: int, values: dict[int, float]) -> list[Point]:
    return [Point(side, seed, labels, dict.fromkeys(FIGURES, value)) for labels, value in values.items()]


def test_an_area_is_the_mean_height_over_the_logarithm_of_the_labels():
    assert area([(32, 0.2), (64, 0.4), (128, 0.4)]) == pytest.approx((0.3 + 0.4) / 2)
    assert area([(64, 0.3)]) == 0.3


def test_labels_needed_are_read_between_the_points_and_none_where_the_score_is_never_reached():
    points = [(32, 0.2), (128, 0.4)]
    assert labels_needed(points, 0.3) == pytest.approx(64)
    assert labels_needed(points, 0.1) == 32
    assert labels_needed(points, 0.41) is None


def test_an_interval_over_three_seeds_is_students():
    found = interval([0.1, 0.2, 0.3])
    half = 4.30 * 0.1 / math.sqrt(3)
    assert (found["mean"], found["low"], found["high"]) == pytest.approx((0.2, 0.2 - half, 0.2 + half))
    assert interval([0.5]) == {"mean": 0.5, "low": None, "high": None}


def test_ours_is_set_against_the_others_seed_by_seed():
    points = [point for seed in (0, 1) for point in curve("ours", seed, {64: 0.3 + seed / 10, 256: 0.5 + seed / 10})]
    points += [point for seed in (0, 1) for point in curve("stock", seed, {64: 0.1 + seed / 10, 512: 0.35 + seed / 10})]
    against = compare(points)["against"]["stock"]["span_f1"]
    assert against["rival_at_most_labels"] == {"labels": 512, "score": pytest.approx(0.4)}
    assert against["labels_needed"] == pytest.approx(2 ** (6 + 2 * 0.05 / 0.2))
    assert len(against["labels_needed_by_seed"]) == 2
    assert against["area_gain"]["low"] == pytest.approx(against["area_gain"]["high"])  # the same gain for both seeds


def test_a_kept_point_is_found_again_after_the_same_rounds_under_the_same_settings_only(tmp_path: Path):
    path = tmp_path / "rounds.jsonl"
    path.write_text('{"side": "ou', encoding="utf-8")  # what a killed run leaves
    point = Point("ours", 1, 64, {"span_f1": 0.5}, (3, 1), 2.0, 64)
    RoundsFile(path, {"ours": "a"}).add(point, [32, 64])
    assert RoundsFile(path, {"ours": "a"}).find("ours", 1, [32, 64]) == point
    assert RoundsFile(path, {"ours": "b"}).find("ours", 1, [32, 64]) is None
    assert RoundsFile(path, {"ours": "a"}).find("ours", 2, [32, 64]) is None
    assert RoundsFile(path, {"ours": "a"}).find("ours", 1, [64]) is None


@pytest.fixture
def draw(
    tmp_path: Path, tiny_span: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], dict[str, Any]]:
    """The whole benchmark on toy rows and a tiny base, its rounds kept; what it printed."""
    labels, test = write_gold(tmp_path / "labels.jsonl", 24, seed=2), write_gold(tmp_path / "test.jsonl", 12, seed=3)
    line = f"--labels {labels} --test {test} --base {tiny_span} --budgets 8 16 --seeds 0 --sides ours stock --epochs 1"
    line += f" --threads 1 --rounds-file {tmp_path / 'rounds.jsonl'} --json"

    def run() -> dict[str, Any]:
        monkeypatch.setattr("sys.argv", ["learning_curve.py", *line.split()])
        learning_curve.main()
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)  # one line, one object
        return printed

    return run


def test_the_benchmark_prints_one_object_and_the_same_command_again_trains_nothing(
    draw: Callable[[], dict[str, Any]], tmp_path: Path, tiny_span: Path, monkeypatch: pytest.MonkeyPatch
):
    first = draw()
    assert (first["base"], first["pool"], first["test"]) == (str(tiny_span), 24, 12)
    assert set(FIGURES) <= set(first["untrained"])
    for side in ("ours", "stock"):
        for name in FIGURES:
            assert [point["labels"] for point in first["curves"][side][name]] == [8, 16]
            assert 0 <= first["areas"][side][name]["mean"] <= 1
    assert set(first["against"]) == {"stock"}
    kept = (tmp_path / "rounds.jsonl").read_text()
    assert [json.loads(line)["rounds"] for line in kept.split("\n") if line] == [[0], [8], [8, 16], [8], [16]]
    monkeypatch.setattr(learning_curve, "load", lambda *_: pytest.fail("a kept point was made again"))
    assert draw() == first
    assert (tmp_path / "rounds.jsonl").read_text() == kept
