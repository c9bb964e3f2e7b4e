"""Averages of the weights that a run passed through, and their mixtures with the weights it began from.

One state of a short training on few rows is a matter of luck. The average of several is better on new rows (Izmailov et al. 2018,
"Averaging weights leads to wider optima"), and a mixture with the model before keeps what that one knew (Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models"). Neither makes an answer slower.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import checkpoints
from training.judge import Judge, is_sure

if TYPE_CHECKING:
    import torch

Weights = dict[str, "torch.Tensor"]

BEGIN = 0.25
"""States of the run's first quarter are far from where it goes and are left out of the average."""

SHARE = 0.25
"""How much of the weights before training the usual mixture holds at the least."""

MOST_SHARE = 0.9
"""The most it holds, however much the model knew: new labels must count."""

PRIOR_LABELS = 24
"""How many answers to learn a model that knows half of them outweighs (``docs/measurements.md`` has what it was chosen by)."""

SHARES = (0.0, SHARE, 0.5)


@dataclass
class Average:
    """The running mean of a model's trained parameters; ``count`` states went into ``mean`` (32-bit tensors by name)."""

    count: int = 0
    mean: Weights = field(default_factory=dict)

    def add(self, model: Any) -> None:
        """Take the present weights in."""
        self.count += 1
        for name, value in copy_of(model).items():
            before = self.mean.get(name)
            self.mean[name] = value.float() if before is None else before.lerp_(value.float(), 1 / self.count)

    def save(self, path: Path) -> None:
        from safetensors.torch import save_file

        save_file(self.mean, path)

    def resume(self, path: Path, *, count: int) -> None:
        """Go on from the mean of ``count`` states that an earlier run saved at ``path``."""
        from safetensors.torch import load_file

        self.count, self.mean = count, load_file(path)


@dataclass(frozen=True)
class Chosen:
    """The weights that are kept: ``averaged`` states of the run (1: a single one), ``base_share`` of the weights before."""

    averaged: int
    base_share: float


def copy_of(model: Any) -> Weights:
    """The trained parameters as they are now, by name."""
    return {name: value.detach().clone() for name, value in checkpoints.trained_parameters(model).items()}


def usual_share(known: float, answers: int) -> float:
    """The usual mixture's share of the weights before training, for a model that knew the part ``known``, from 0 to 1, of the
    ``answers`` it learned.

    What training found weighs as much as the model did not know, and less while the answers are few beside what it knew: knowing the odds
    k : 1 - k of them counts like ``PRIOR_LABELS`` times these odds of answers already learned.
    """
    if not answers:
        return SHARE
    unknown = 1 - known
    learned = unknown * unknown * answers / (unknown * answers + known * PRIOR_LABELS)
    return min(max(SHARE, 1 - learned), MOST_SHARE)


def choose(model: Any, start: Weights, average: Average, judge: Judge) -> Chosen:
    """Leave in ``model`` the average of the run mixed with the :func:`usual_share` of ``start``, or what surely beats that.

    Rivals are the mixtures of :data:`SHARES` and the model's present weights, the best single state. One is taken where the validation
    interval of its gain over the usual mixture lies above zero, of several the one that gains most: thirty questions seldom tell such
    states apart, and the best of several by chance is not the best. With fewer than two states in the average the present weights stay.
    """
    if average.count < 2:
        return Chosen(1, 0.0)
    usual = usual_share(judge.known, judge.answers)
    single = copy_of(model)
    best, kept, most = Chosen(average.count, usual), mixture(start, average, usual), 0.0
    checkpoints.put_weights(model, kept)
    gain_over_usual = judge.gain_since_now()
    if gain_over_usual is None:
        return best
    rivals = [Chosen(1, 0.0), *(Chosen(average.count, share) for share in SHARES if share != usual)]
    for chosen in rivals:
        weights = single if chosen.averaged == 1 else mixture(start, average, chosen.base_share)
        checkpoints.put_weights(model, weights)
        gain = gain_over_usual()
        if is_sure(gain) and gain.difference > most:
            best, kept, most = chosen, weights, gain.difference
    checkpoints.put_weights(model, kept)
    return best


def mixture(start: Weights, average: Average, share: float) -> Weights:
    """``share`` of ``start`` and the rest of the average, in 32 bits."""
    return {name: value.lerp(start[name].float(), share) for name, value in average.mean.items()}
