"""Blame as stacked bars, in the form that static/js/chart.js draws; everything counted from stored evaluations."""

from typing import Any

from sqlalchemy import func, select

from webapp.iterations.blame import BLAMES
from webapp.models import EvaluationRow, Iteration, db

EMPTY = "No test question has been compared yet, or every answer was right."


def blame_of_one(iteration: Iteration) -> dict[str, Any]:
    """Two bars: the model in service then, and the candidate."""
    counts = {
        "before": _count(EvaluationRow.before_blame, iteration.id),
        "after": _count(EvaluationRow.after_blame, iteration.id),
    }
    return _stacked("", counts)


def blame_of_all(project_id: int) -> dict[str, Any]:
    """What was in service before the first comparison, then one bar for each iteration's candidate, oldest first."""
    statement = (
        select(Iteration.number, EvaluationRow.after_blame, func.count()).join(Iteration, Iteration.id == EvaluationRow.iteration_id)
        .where(Iteration.project_id == project_id).group_by(Iteration.number, EvaluationRow.after_blame).order_by(Iteration.number)
    )  # fmt: skip
    first = db.session.scalar(
        select(Iteration.id).join(EvaluationRow, EvaluationRow.iteration_id == Iteration.id)
        .where(Iteration.project_id == project_id).order_by(Iteration.number).limit(1)
    )  # fmt: skip
    counts: dict[str, dict[str, int]] = (
        {"before": _count(EvaluationRow.before_blame, first)} if first is not None else {}
    )
    for number, blame, count in db.session.execute(statement):
        counts.setdefault(str(number), {})[blame] = count
    return _stacked("iteration", counts)


def _count(column: Any, iteration_id: int) -> dict[str, int]:
    statement = select(column, func.count()).where(EvaluationRow.iteration_id == iteration_id).group_by(column)
    return {blame: count for blame, count in db.session.execute(statement).all()}


def _stacked(x: str, counts: dict[str, dict[str, int]]) -> dict[str, Any]:
    series = [
        {"name": name, "kind": "bar", "stack": "wrong", "points": [[bar, found.get(key, 0)] for bar, found in counts.items()]}
        for key, name in BLAMES.items()
    ]  # fmt: skip
    is_any = any(found.get(key) for found in counts.values() for key in BLAMES)
    return {
        "x": x, "y": "wrong answers", "categories": list(counts), "series": series if is_any else [], "y_min": 0, "whole": True,
        "empty": EMPTY,
    }  # fmt: skip
