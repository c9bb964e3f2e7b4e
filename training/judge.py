"""How a task tells whether training helped, handed through every stage of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from training.bootstrap import Interval

LEAST_JUDGED = 8
"""Validation questions below which no gain is sure: the interval of one or two questions has no width."""


@dataclass(frozen=True)
class Judge:
    """What a task measures on the validation questions with the answerer as it is; none of it sees test data.

    ``measure`` gives figures by name, and ``selection`` (higher is better), which says which state of a run is the best. ``predict``
    answers the questions and ``gain`` compares two such sets of answers with the interval of the second's gain; without the two
    nothing is chosen against the usual. ``known``, from 0 to 1, says how well the model gave the ``answers`` it is to learn beforehand,
    and so how much of it is worth keeping.
    """

    measure: Callable[[], dict[str, float]]
    predict: Callable[[], Any] | None = None
    gain: Callable[[Any, Any], Interval] | None = None
    known: float = 0.0
    answers: int = 0

    def gain_since_now(self) -> Callable[[], Interval] | None:
        """Asks the model as it is now; what is returned tells, each time it is called, by how much the model is better by then."""
        predict, gain = self.predict, self.gain
        if predict is None or gain is None:
            return None
        before = predict()
        return lambda: gain(before, predict())


def is_sure(gain: Interval) -> bool:
    """The whole interval lies above zero, over enough questions."""
    return gain.low > 0 and gain.n >= LEAST_JUDGED
