"""The stages of one iteration's learning, whichever are switched on: practice on the corpus, the labels, the preferences."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.fit import LEAST_LABELS, check_examples, fit, learning_rate
from training.judge import Judge, is_sure
from training.lessons import WARM_UP_EPOCHS, Lessons, Material, count_rows, is_learned, learning_rows, practice_rows
from training.preferences import LEAST_PAIRS, can_prefer, prefer, usable_pairs
from training.types import Example, FitConfig, Report, TrainingError

Log = Callable[[dict[str, float]], None]


def learn(
    answerer: Any,
    train: Sequence[Example],
    *,
    judge: Judge | None,
    folder: Path,
    config: FitConfig,
    report: Report,
    log: Log,
    lessons: Lessons,
    material: Material,
) -> None:
    """Train ``answerer`` in place through every stage that ``lessons`` switches on; resumable like :func:`training.fit.fit`.

    ``log`` also gets what was learned from: ``rows_<kind>`` at step 0, and ``preference_...`` at the last step.
    Raises :class:`TrainingError` as ``fit`` does; variations, passages passed over and rejects do not make few labels enough.
    """
    if lessons.only_warm_up:
        _practise(
            answerer,
            train,
            material,
            judge=judge,
            folder=folder,
            config=config,
            report=report,
            log=log,
            lessons=lessons,
        )
        return
    check_examples([row for row in train if is_learned(row, lessons)])
    rows = learning_rows(train, lessons, material, seed=config.seed)
    practice = practice_rows(material.passages, seed=config.seed) if lessons.warm_up else []
    has_preferences = lessons.preferences != "off"
    begin, end = (0.3 if practice else 0.0), (0.85 if has_preferences else 1.0)
    log({"step": 0, "fraction": 0.0, **{f"rows_{kind}": n for kind, n in count_rows([*rows, *practice]).items()}})
    if practice:
        fit(
            answerer, practice, judge=None, folder=folder / "warm-up", config=replace(config, epochs=WARM_UP_EPOCHS),
            report=_part(report, 0.0, begin, "Warm-up: "), log=lambda _: None,
        )  # fmt: skip
    rate = learning_rate(answerer, config)
    fitted = fit(
        answerer, rows, judge=judge, folder=folder, config=config,
        report=_part(report, begin, end), log=log,
    )  # fmt: skip
    if has_preferences:
        told = _prefer_if_better(answerer, material, judge, rate=rate, config=config, report=_part(report, end, 1.0))
        log({"step": fitted.steps, "fraction": 1.0, **{f"preference_{name}": value for name, value in told.items()}})


def _practise(
    answerer: Any,
    train: Sequence[Example],
    material: Material,
    *,
    judge: Judge | None,
    folder: Path,
    config: FitConfig,
    report: Report,
    log: Log,
    lessons: Lessons,
) -> None:
    """The warm-up by itself, its practice rows mixed with starting data. How the model answers (fixed answers) stays the base's."""
    practice = practice_rows(material.passages, seed=config.seed)
    if len(practice) < LEAST_LABELS:
        raise TrainingError(
            f"The corpus gives {len(practice)} practice {'row' if len(practice) == 1 else 'rows'} where at least {LEAST_LABELS} are needed: a "
            "phrase has to occur in two sentences of one passage; import more or longer documents."
        )
    rehearsal = [row for row in train if row.kind == "rehearsal"] if lessons.rehearsal else []
    log({"step": 0, "fraction": 0.0, **{f"rows_{kind}": n for kind, n in count_rows([*practice, *rehearsal]).items()}})
    fixed_answers = answerer.settings.fixed_answers
    fit(
        answerer, [*practice, *rehearsal], judge=judge, folder=folder,
        config=replace(config, epochs=WARM_UP_EPOCHS), report=report, log=log,
    )  # fmt: skip
    answerer.settings = replace(answerer.settings, fixed_answers=fixed_answers)


def _part(report: Report, low: float, high: float, before: str = "") -> Report:
    return lambda fraction, message: report(low + (high - low) * fraction, before + message)


def _prefer_if_better(
    answerer: Any, material: Material, judge: Judge | None, *, rate: float, config: FitConfig, report: Report
) -> dict[str, float]:
    """Keep the preference pass only where the validation interval of its gain lies above zero."""
    pairs = usable_pairs(answerer, material.preferences) if can_prefer(answerer) else []
    gain_since = judge.gain_since_now() if judge is not None and len(pairs) >= LEAST_PAIRS else None
    if gain_since is None:
        report(1.0, _why_not(answerer, judge, len(pairs)))
        return {"pairs": float(len(pairs)), "kept": 0.0}
    model = answerer.model
    prefer(answerer, pairs, rate=rate, config=config, report=_part(report, 0.0, 0.9))
    gain = gain_since()
    is_kept = is_sure(gain)
    if not is_kept:
        answerer.model = model
    report(1.0, f"Preferences {'kept' if is_kept else 'dropped'}: {100 * gain.difference:+.1f} points on validation")
    return {
        "pairs": float(len(pairs)), "difference": gain.difference, "low": gain.low, "high": gain.high, "kept": float(is_kept),
    }  # fmt: skip


def _why_not(answerer: Any, judge: Judge | None, pairs: int) -> str:
    if not can_prefer(answerer):
        return f"No preference pass: a {answerer.settings.architecture} model has no text to prefer"
    if judge is None:
        return "No preference pass: there are no validation questions to judge it by"
    return f"No preference pass: {pairs} corrections, and it takes at least {LEAST_PAIRS}"
