"""Of a run's single states, their average and its mixtures with the model before, validation's choice is kept."""

from pathlib import Path
from typing import Any

import pytest
import toys

from training import averaging
from training.answerers import load_answerer
from training.bootstrap import Interval
from training.fit import Fitted, fit
from training.judge import LEAST_JUDGED, Judge
from training.tasks import get_task
from training.types import Cancelled, FitConfig

QA = get_task("qa")
CONFIG = FitConfig(epochs=1, learning_rate=1e-3, batch_tokens=512, evaluations=4, save_every_s=0.0)
SINGLE = [0.1, 0.9, 0.3, 0.2]


class Measure:
    """Gives the selections one by one, and remembers the weights it was asked about; an answer to the validation questions is the
    number of the asking, and ``gains`` are those of the rivals over the usual mixture, each with its lower bound."""

    def __init__(self, answerer: Any, gains: list[tuple[float, float]], selections: list[float]) -> None:
        self.answerer, self.gains, self.selections = answerer, gains, list(selections)
        self.seen: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []

    def measure(self) -> dict[str, float]:
        self.seen.append(averaging.copy_of(self.answerer.model))
        return {"validation_f1": 0.0, "selection": self.selections.pop(0)}

    def predict(self) -> int:
        self.asked.append(averaging.copy_of(self.answerer.model))
        return len(self.asked)

    def gain(self, before: int, after: int) -> Interval:
        assert before == 1
        difference, low = self.gains[after - 2]
        return Interval(difference, low, 2 * difference - low, 30)


def train(
    base: Path,
    folder: Path,
    gains: list[tuple[float, float]],
    *,
    selections: list[float] = SINGLE,
    stop_at: float = 2.0,
    known: float = 0.0,
    answers: int = 0,
) -> tuple[Measure, Fitted, Any]:
    answerer = load_answerer(base, QA)
    start = averaging.copy_of(answerer.model)
    measure = Measure(answerer, gains, selections)
    judge = Judge(measure.measure, measure.predict, measure.gain, known, answers)

    def report(fraction: float, message: str) -> None:
        if fraction >= stop_at and message.startswith("Step"):
            raise Cancelled

    done = fit(
        answerer, toys.toy_examples(40), judge=judge, folder=folder, config=CONFIG, report=report, log=lambda _: None
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


NO, MAYBE, SURE, SURER = (-0.1, -0.2), (0.4, -0.01), (0.05, 0.01), (0.06, 0.01)


@pytest.mark.parametrize(
    ("gains", "share"),
    [
        ([NO, MAYBE, MAYBE], 0.25),  # what may be chance decides nothing
        ([NO, SURE, MAYBE], 0.0),
        ([NO, SURE, SURER], 0.5),
    ],
)
def test_the_late_states_are_averaged_and_mixed_with_the_model_before(
    gains: list[tuple[float, float]], share: float, tiny_span: Path, tmp_path: Path
) -> None:
    measure, done, start = train(tiny_span, tmp_path, gains)
    assert done.chosen == averaging.Chosen(3, share)
    assert difference(averaging.copy_of(measure.answerer.model), mixed(measure, start, share)) < 1e-6
    assert difference(measure.asked[0], mixed(measure, start, 0.25)) < 1e-6
    assert difference(mixed(measure, start, share), measure.seen[1]) > 1e-5


def test_the_more_a_model_knew_before_the_more_of_it_is_kept(tiny_span: Path, tmp_path: Path) -> None:
    measure, done, start = train(tiny_span, tmp_path / "much", [MAYBE] * 4, known=0.5, answers=24)
    assert done.chosen == averaging.Chosen(3, 0.75)
    assert difference(averaging.copy_of(measure.answerer.model), mixed(measure, start, 0.75)) < 1e-6
    _, done, _ = train(tiny_span, tmp_path / "beaten", [NO, NO, SURE, NO], known=0.7, answers=100)
    assert done.chosen == averaging.Chosen(3, 0.25)
    _, done, _ = train(tiny_span, tmp_path / "little", [MAYBE] * 3, known=0.1, answers=100)
    assert done.chosen == averaging.Chosen(3, 0.25)


def test_few_answers_bend_a_model_that_knew_much_less_than_many() -> None:
    shares = [averaging.usual_share(0.6, answers) for answers in (8, 32, 128, 100_000)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.85
    assert shares[-1] == pytest.approx(0.6, abs=0.001)  # with answers without end what it did not know
    assert averaging.usual_share(0.0, 8) == averaging.usual_share(0.9, 0) == averaging.SHARE
    assert averaging.usual_share(1.0, 100_000) == averaging.MOST_SHARE


def test_the_best_single_state_stays_where_it_is_surely_better(tiny_span: Path, tmp_path: Path) -> None:
    measure, done, _ = train(tiny_span, tmp_path, [SURE, NO, MAYBE])
    assert done.chosen == averaging.Chosen(1, 0.0)
    assert difference(averaging.copy_of(measure.answerer.model), measure.seen[1]) == 0


def test_a_gain_on_few_questions_is_never_sure(
    tiny_span: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Measure, "gain", lambda *_: Interval(0.3, 0.3, 0.3, LEAST_JUDGED - 1))
    _, done, _ = train(tiny_span, tmp_path / "few", [])
    assert done.chosen == averaging.Chosen(3, 0.25)
    monkeypatch.setattr(Measure, "gain", lambda *_: Interval(0.3, 0.3, 0.3, LEAST_JUDGED))
    _, done, _ = train(tiny_span, tmp_path / "enough", [])
    assert done.chosen == averaging.Chosen(1, 0.0)


def test_without_a_way_to_compare_the_usual_mixture_is_kept(tiny_span: Path, tmp_path: Path) -> None:
    answerer = load_answerer(tiny_span, QA)
    judge = Judge(lambda: {"selection": 0.0})
    done = fit(
        answerer, toys.toy_examples(40), judge=judge, folder=tmp_path, config=CONFIG, report=lambda *_: None, log=lambda _: None
    )  # fmt: skip
    assert done.chosen == averaging.Chosen(3, 0.25)


def test_a_resumed_run_averages_what_was_before_the_stop_too(tiny_span: Path, tmp_path: Path) -> None:
    whole, _, _ = train(tiny_span, tmp_path / "whole", [NO] * 3)
    with pytest.raises(Cancelled):
        train(tiny_span, tmp_path / "stopped", [], stop_at=0.8)
    measure, done, _ = train(tiny_span, tmp_path / "stopped", [NO] * 3, selections=[0.2])
    assert done.chosen == averaging.Chosen(3, 0.25)
    assert len(measure.seen) == 1  # the last measurement: the others were not made again
    assert difference(averaging.copy_of(measure.answerer.model), averaging.copy_of(whole.answerer.model)) < 1e-6
