"""The shipped starter: whole, small, and as good as its card says."""

from pathlib import Path
from typing import Any

import pytest

from training.answerers import load_answerer
from training.artefact import verify
from training.recipes.finishing import shipped_rehearsal
from training.recipes.levels import LABELS, REHEARSAL, held_out_rows, labels, score, teach
from training.safety import SHIPPED
from training.tasks import get_task

STARTER = SHIPPED / "starter"
ROWS = 300
SETS = ("unseen_names", "held_out_wordings")
SAMPLING = 0.12
"""What the figures of a small sample may lie below those of the card."""


@pytest.fixture(scope="module")
def starter() -> Any:
    return load_answerer(STARTER, get_task("qa"))


@pytest.fixture(scope="module")
def scores(starter: Any) -> dict[str, dict[str, float]]:
    return {name: score(starter, rows) for name, rows in held_out_rows(ROWS, 7000).items() if name in SETS}


def test_it_is_whole_and_small_enough_for_git():
    verify(STARTER, kind="answerer")
    assert sum(path.stat().st_size for path in STARTER.iterdir()) < 20_000_000


def test_it_is_a_gpt2_of_three_to_eight_million_parameters(starter: Any):
    assert starter.model.config.model_type == "gpt2"
    assert 3e6 <= sum(value.numel() for value in starter.model.parameters()) <= 8e6


@pytest.mark.parametrize("name", SETS)
def test_it_is_as_good_as_its_card_says(scores: dict[str, dict[str, float]], name: str):
    figures = verify(STARTER)["about"]["figures"]
    assert scores[name]["answerable_exact_match"] >= figures[name] - SAMPLING
    assert scores[name]["unanswerable_accuracy"] >= figures[f"{name}_refused"] - SAMPLING


def test_sixty_labels_lift_the_families_left_out_on_purpose(starter: Any, tmp_path: Path):
    """A quarter of the recipe's rehearsal rows is enough, and takes a third of the time."""
    rows = [row for row in held_out_rows(120, 4000)["left_out"] if row.target.answerable]
    before = score(starter, rows)["answerable_exact_match"]
    taught = load_answerer(STARTER, get_task("qa"))
    rehearsal = shipped_rehearsal(STARTER)[: REHEARSAL // 4]
    teach(taught, labels(LABELS, 6000), rehearsal, folder=tmp_path / "run")
    assert score(taught, rows)["answerable_exact_match"] >= before + 0.4
