"""What the abstention benchmark counts, on answers whose right threshold is known."""

import json
from pathlib import Path

import pytest
from toys import write_gold

from benchmarks import abstention
from training.types import Gold, Prediction


def said(score: float) -> Prediction:
    return Prediction("blue", True, score, score, 0.0, "blue", 0)


def row(score: float, *answers: str) -> tuple[Prediction, Gold]:
    return said(score), Gold(str(score), "?", ("blue",), answers)


UNANSWERABLE = [row(score) for score in (0.1, 0.2, 0.3, 0.6)]
ANSWERABLE = [row(score, "blue") for score in (0.25, 0.4, 0.7, 0.8)]


def test_a_threshold_is_served_with_what_it_recognises_and_what_it_loses() -> None:
    rows = UNANSWERABLE + ANSWERABLE
    assert abstention.known(rows) == pytest.approx(0.3)
    assert abstention.served(rows, abstention.known(rows)) == (0.75, 0.0)
    # From 0.5 on nothing more is recognised and one more answer is lost.
    assert abstention.served(rows, 0.5) == (0.75, pytest.approx(0.25))
    assert abstention.served(rows, 0.15) == (0.25, pytest.approx(-0.25))


def test_draws_split_the_rows_the_same_way_again_and_leave_out_sets_of_one_class() -> None:
    rows = UNANSWERABLE + ANSWERABLE
    once, again = (list(abstention.draws(rows, 3, 40, seed=1)) for _ in range(2))
    assert once == again
    assert 0 < len(once) < 40
    for judging, rest in once:
        assert len(judging) == 3
        assert sorted((one.answerable_score, gold.id) for one, gold in judging + rest) == sorted(
            (one.answerable_score, gold.id) for one, gold in rows
        )
        assert {gold.answerable for _, gold in judging} == {gold.answerable for _, gold in rest} == {True, False}


def test_only_a_draw_that_recognises_enough_and_loses_little_has_passed() -> None:
    found = abstention.summary([(0.75, 0.02), (0.9, 0.03), (0.7, -0.1), (0.8, -0.01)])
    assert found["passed"] == 0.5
    assert found["recognised"] == pytest.approx(0.7875)
    assert found["draws"] == 4


def test_the_benchmark_trains_once_a_seed_and_draws_from_what_that_model_says(
    tiny_span: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, test = (
        write_gold(tmp_path / f"{name}.jsonl", 24, seed=seed) for name, seed in (("labels", 2), ("test", 3))
    )
    line = f"--labels {labels} --test {test} --base {tiny_span} --count 8 --seeds 0 1 --held-out 6 8 --draws 5 --threads 1 --json"
    monkeypatch.setattr("sys.argv", ["abstention.py", *line.split()])
    trained: list[int] = []
    train = abstention.train_ours
    monkeypatch.setattr(
        abstention, "train_ours", lambda setting, rows, *, seed, side: trained.append(seed) or train(setting, rows, seed=seed, side=side)
    )  # fmt: skip
    abstention.main()
    printed = json.loads(capsys.readouterr().out)
    assert trained == [0, 1]
    assert printed["labels"] == 8
    assert [(one["held_out"], one["threshold"]) for one in printed["runs"]] == [
        (held_out, way) for held_out in (6, 8) for way in ("chosen", "known")
    ]
    for one in printed["runs"]:
        assert 0 < one["draws"] <= 10
        assert 0 <= one["passed"] <= 1
        assert 0 <= one["recognised"] <= 1
