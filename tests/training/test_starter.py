"""The shipped starter: whole, small, as good as promised, and able to learn two new families from sixty labels."""

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
ROWS = 200
SAMPLING = 0.1
"""What the figures of a small sample may lie below those of the card."""


@pytest.fixture(scope="module")
def starter() -> Any:
    return load_answerer(STARTER, get_task("qa"))


@pytest.fixture(scope="module")
def scores(starter: Any) -> dict[str, dict[str, float]]:
    return {name: score(starter, rows) for name, rows in held_out_rows(ROWS, 7000).items()}


def test_it_is_whole_and_small_enough_for_git():
    verify(STARTER, kind="answerer")
    assert sum(path.stat().st_size for path in STARTER.iterdir()) < 20_000_000


def test_it_is_a_gpt2_of_three_to_eight_million_parameters(starter: Any):
    assert starter.model.config.model_type == "gpt2"
    assert 3e6 <= sum(value.numel() for value in starter.model.parameters()) <= 8e6


@pytest.mark.parametrize("name", ["unseen_names", "held_out_wordings"])
def test_it_is_as_good_as_its_card_says(scores: dict[str, dict[str, float]], name: str):
    figures = verify(STARTER)["about"]["figures"]
    assert scores[name]["answerable_exact_match"] >= figures[name] - SAMPLING
    assert scores[name]["unanswerable_accuracy"] >= figures[f"{name}_refused"] - SAMPLING


def test_sixty_labels_teach_it_two_new_families_and_it_forgets_nothing(
    scores: dict[str, dict[str, float]], tmp_path: Path
):
    before = scores["left_out"]["answerable_exact_match"]
    answerer: Any = load_answerer(STARTER, get_task("qa"))
    teach(answerer, labels(LABELS, 6000), shipped_rehearsal(STARTER)[:REHEARSAL], folder=tmp_path / "run")
    after = {
        name: score(answerer, rows)
        for name, rows in held_out_rows(ROWS, 7000).items()
        if name in ("left_out", "unseen_names")
    }
    assert after["left_out"]["answerable_exact_match"] >= before + 0.40
    old = scores["unseen_names"]
    assert after["unseen_names"]["answerable_exact_match"] >= old["answerable_exact_match"] - 0.05
    assert after["unseen_names"]["unanswerable_accuracy"] >= old["unanswerable_accuracy"] - 0.05
