"""The values that cross the border of this package. All frozen; none knows a database row."""

from collections.abc import Callable
from dataclasses import dataclass, field

Report = Callable[[float, str], None]
"""``report(fraction, message)``: progress from 0 to 1. It may raise :class:`Cancelled`; the library never knows who listens."""


Drop = Callable[[str, str], None]
"""``drop(row's id, reason)``: told of each row left out."""


class Cancelled(Exception):
    """Raised by a ``report`` callback: stop now, leave no artefact behind."""


class TrainingError(Exception):
    """Training or loading cannot go on; the message is one sentence a person can act on."""


@dataclass(frozen=True)
class Input:
    """What a task is asked: for question answering a question and the passages retrieved for it, best first."""

    id: str
    text: str
    passages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """The right output. ``text`` is "" when ``answerable`` is false; ``start`` is its character offset in the passage, if known."""

    text: str
    answerable: bool = True
    start: int | None = None


@dataclass(frozen=True)
class Example:
    """One training row: one input text, at most one passage, one target.

    ``kind`` is ``accept``, ``correct``, ``negative``, ``reject`` (then ``weight`` is below zero: the target is not to be said),
    ``variation`` (a labelled row asked another way), ``passed_over`` (its question with a shown passage without the answer),
    ``practice`` or ``rehearsal``; ``label`` the id of the label behind it, if any.
    """

    text: str
    passage: str
    target: Target
    weight: float = 1.0
    kind: str = "accept"
    label: int | None = None


@dataclass(frozen=True)
class Preference:
    """A person put ``chosen`` in the place of ``rejected``, which a model had said, as the answer to ``text`` from ``passage``."""

    text: str
    passage: str
    chosen: Target
    rejected: Target
    weight: float = 1.0
    label: int | None = None


@dataclass(frozen=True)
class Gold:
    """One evaluation row: every acceptable answer (empty when not answerable). ``passages`` as in :class:`Input`.

    ``is_rehearsal``: one of the base model's own, to see that it does not forget; it says nothing of the texts labelled here.
    """

    id: str
    text: str
    passages: tuple[str, ...]
    answers: tuple[str, ...]
    is_rehearsal: bool = False

    @property
    def answerable(self) -> bool:
        return bool(self.answers)

    @property
    def input(self) -> Input:
        """What a model is asked, without the answers."""
        return Input(self.id, self.text, self.passages)


@dataclass(frozen=True)
class QuestionRow:
    """A gold row: a question about one context. ``answers`` are (text, start) with ``context[start:start+len(text)] == text`` once read
    or written (a start of None is looked up); no answers mean that the context has none."""

    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int | None], ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Reading:
    """What an answerer found in one (text, passage) pair.

    ``text`` is the best answer with the answerable decision ignored; ``answerable_score`` the probability, 0 to 1, that the
    pair is answerable; ``log_probability`` the natural logarithm of the answer's probability; ``start``/``end`` are
    character offsets of ``text`` in the passage, None where the text does not occur in it.
    """

    text: str
    answerable_score: float
    log_probability: float
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Prediction:
    """A task's output for one :class:`Input`. ``text`` is "" when not ``answerable``; ``best_text`` ignores the threshold.

    ``score`` is the confidence in what is shown, 0 to 1; ``answerable_score`` the probability that an answer is there;
    ``passage`` the index into ``Input.passages`` the answer was read in, ``start``/``end`` offsets in that passage.
    """

    text: str
    answerable: bool
    score: float
    answerable_score: float
    log_probability: float
    best_text: str
    passage: int | None = None
    start: int | None = None
    end: int | None = None
    prompt_version: str = ""


@dataclass(frozen=True)
class FitConfig:
    """How an iteration trains. Saved with the run; ``seed`` fixes order and initialisation."""

    epochs: float = 4.0
    learning_rate: float | None = None  # None: the architecture's own default
    batch_tokens: int = 4096  # padded tokens per optimiser step, at most
    warmup_fraction: float = 0.06
    weight_decay: float = 0.01
    max_tokens: int = 512  # one row's prompt and target together
    evaluations: int = 8  # validation passes over the run
    save_every_s: float = 30.0
    seed: int = 0
    method: str = "full"  # full or lora
    extra: dict[str, float] = field(default_factory=dict)
