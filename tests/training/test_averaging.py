"""Of a run's single states, their average and its mixtures with the model before, validation's choice is kept."""

from pathlib import Path
from typing import Any

import pytest
import toys

from training import averaging
from training.answerers import load_answerer
from training.fit import Fitted, fit
from training.tasks import get_task
from training.types import Cancelled, FitConfig

QA = get_task("qa")
CONFIG = FitConfig(epochs=1, learning_rate=1e-3, batch_tokens=512, evaluations=4, save_every_s=0.0)
SINGLE = [0.1, 0.9, 0.3, 0.2]


class Measure:
    """Gives the selections one by one, and remembers the weights it was asked about."""

    def __init__(self, answerer: Any, selections: list[float]) -> None:
        self.answerer, self.selections, self.seen = answerer, list(selections), []

    def __call__(self) -> dict[str, float]:
        self.seen.append(averaging.copy_of(self.answerer.model))
        return {"validation_f1": 0.0, "selection": self.selections.pop(0), "luck": 0.05}


def train(base: Path, folder: Path, selections: list[float], *, stop_at: float = 2.0) -> tuple[Measure, Fitted, Any]:
    answerer = load_answerer(base, QA)
    start = averaging.copy_of(answerer.model)
    measure = Measure(answerer, selections)

    def report(fraction: float, message: str) -> None:
        if fraction >= stop_at and message.startswith("Step"):
            raise Cancelled

    done = fit(
        answerer, toys.toy_examples(40), measure=measure, folder=folder, config=CONFIG, report=report, log=lambda _: None
    )  # fmt: skip
    return measure, done, start


def difference(first: dict[str, Any], second: dict[str, Any]) -> float:
    return max((first[name] - second[name]).abs().max().item() for name in first)


def mean_of_late(states: list[dict[str, Any]]) -> dict[str, Any]:
    """Of four measurements the first lies in the run's first quarter."""
    return {name: sum(state[name] for state in states[1:4]) / 3 for name in states[0]}


def mixed(measure: Measure, start: dict[str, Any], share: float) -> dict[str, Any]:
    mean = mean_of_late(measure.seen)
    return {name: (1 - share) * mean[name] + share * start[name] for name in mean}


@pytest.mark.parametrize(
    ("scores", "share"),
    [
        ([0.89, 0.90, 0.91], 0.25),  # what two or three questions are worth decides nothing
        ([0.80, 0.95, 0.50], 0.0),
        ([0.80, 0.50, 0.95], 0.5),
    ],
)
def test_the_late_states_are_averaged_and_mixed_with_the_model_before(
    scores: list[float], share: float, tiny_span: Path, tmp_path: Path
) -> None:
    measure, done, start = train(tiny_span, tmp_path, [*SINGLE, *scores])
    assert done.chosen == averaging.Chosen(3, share)
    assert difference(averaging.copy_of(measure.answerer.model), mixed(measure, start, share)) < 1e-6
    assert difference(mixed(measure, start, share), measure.seen[1]) > 1e-5


def test_the_best_single_state_stays_where_it_leads_by_more_than_luck(tiny_span: Path, tmp_path: Path) -> None:
    measure, done, _ = train(tiny_span, tmp_path, [*SINGLE, 0.84, 0.7, 0.6])
    assert done.chosen == averaging.Chosen(1, 0.0)
    assert difference(averaging.copy_of(measure.answerer.model), measure.seen[1]) == 0


def test_a_resumed_run_averages_what_was_before_the_stop_too(tiny_span: Path, tmp_path: Path) -> None:
    whole, _, _ = train(tiny_span, tmp_path / "whole", [*SINGLE, 0.95, 0.5, 0.5])
    with pytest.raises(Cancelled):
        train(tiny_span, tmp_path / "stopped", SINGLE, stop_at=0.8)
    measure, done, _ = train(tiny_span, tmp_path / "stopped", [0.2, 0.95, 0.5, 0.5])
    assert done.chosen == averaging.Chosen(3, 0.25)
    assert len(measure.seen) == 4  # the last measurement and three mixtures: the others were not made again
    assert difference(averaging.copy_of(measure.answerer.model), averaging.copy_of(whole.answerer.model)) < 1e-6
