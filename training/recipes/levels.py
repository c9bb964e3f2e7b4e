"""What the starter can do, in figures: unseen names, held-out wordings, refusals, and what sixty labels teach it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from training.generator.families import LEFT_OUT
from training.generator.rows import examples, golds
from training.tasks import get_task
from training.types import Example, FitConfig

ROWS = 600
LABELS = 60
LABELS_UNANSWERABLE = 0.2
REHEARSAL = 256
EPOCHS = 6.0
"""How often the demo's iterations go through few labels. Variations of the labels alone made the starter forget the rest."""


def score(answerer: Any, rows: Sequence[Example]) -> dict[str, float]:
    """The task's metrics on rows, and ``answerable_exact_match``: exact match on those with an answer alone."""
    task, gold = get_task("qa"), golds(rows)
    predictions = task.predict(answerer, [each.input for each in gold])
    result = dict(task.score(predictions, gold))
    answerable = [(p, g) for p, g in zip(predictions, gold, strict=True) if g.answerable]
    if answerable:
        each = task.score_each(*map(list, zip(*answerable, strict=True)))
        result["answerable_exact_match"] = sum(row["exact_match"] for row in each) / len(each)
    return result


def held_out_rows(count: int, seed: int) -> dict[str, list[Example]]:
    """Evaluation rows by what they show; all names are of the test split, never seen in training."""
    return {
        "unseen_names": examples(count, seed, split="test", domain="restaurant", per_page=2),
        "other_domains": examples(count, seed + 1, split="test", per_page=2),
        "held_out_wordings": examples(count, seed + 2, split="test", per_page=2, held_out=True),
        "left_out": examples(
            count, seed + 3, split="test", domain="restaurant", per_page=1, only=LEFT_OUT, unanswerable=0.0
        ),
    }


def levels(answerer: Any, *, count: int = ROWS, seed: int = 4000) -> dict[str, float]:
    """The promised figures, fractions from 0 to 1: exact match on answerable rows by set, and the share of refusals got right."""
    figures = {}
    for name, rows in held_out_rows(count, seed).items():
        scored = score(answerer, rows)
        figures[name] = scored["answerable_exact_match"]
        if "unanswerable_accuracy" in scored:
            figures[f"{name}_refused"] = scored["unanswerable_accuracy"]
    return figures


def labels(count: int, seed: int) -> list[Example]:
    """What a newcomer would have labelled: questions of the left-out families, a fifth of them not answerable."""
    rows = examples(6 * count, seed, split="demo", domain="restaurant", per_page=1, only=LEFT_OUT, kind="correct")
    refused = round(LABELS_UNANSWERABLE * count)
    answerable = [row for row in rows if row.target.answerable][: count - refused]
    mixed = answerable + [row for row in rows if not row.target.answerable][:refused]
    return sorted(mixed, key=lambda row: row.text)


def teach(
    answerer: Any,
    rows: Sequence[Example],
    rehearsal: Sequence[Example],
    *,
    folder: Path,
    epochs: float = EPOCHS,
) -> Any:
    """One iteration as the web app runs it: labels and rehearsal rows mixed, a sixth of both kept for validation."""
    mixed = [rows[i::6] for i in range(6)]
    validation = [*mixed[0], *rehearsal[: 2 * len(mixed[0])]]
    train = [row for part in mixed[1:] for row in part] + list(rehearsal[2 * len(mixed[0]) :])
    quiet: Callable[..., None] = lambda *_: None  # noqa: E731 - nobody listens here
    return get_task("qa").fit(
        answerer,
        train,
        golds(validation),
        folder=folder,
        config=FitConfig(epochs=epochs),
        report=quiet,
        log=quiet,
    )
