"""The rows a comparison leaves: one per test question, one per label that was learned from."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from webapp.iterations.compare import Comparison
from webapp.models import EvaluationRow, Iteration, LabelEffect


def store_figures(session: Session, iteration: Iteration, comparison: Comparison) -> None:
    """In the caller's transaction; what an earlier attempt left is replaced."""
    iteration.before, iteration.after = comparison.before.metrics, comparison.after.metrics
    iteration.gate = comparison.gate.to_json()
    session.execute(delete(EvaluationRow).where(EvaluationRow.iteration_id == iteration.id))
    session.execute(delete(LabelEffect).where(LabelEffect.iteration_id == iteration.id))
    rows = _evaluation_rows(iteration.id, comparison)
    if rows:
        session.execute(insert(EvaluationRow), rows)
    effects = [_effect_row(iteration.id, asdict(one)) for one in comparison.effects]
    if effects:
        session.execute(insert(LabelEffect), effects)


def _evaluation_rows(iteration_id: int, comparison: Comparison) -> list[dict[str, Any]]:
    before, after = comparison.before, comparison.after
    return [
        {
            "iteration_id": iteration_id, "question_id": one.row.question, "gold": list(one.row.gold.answers), "split": one.split,
            "before_text": before.side.predictions[i].text, "after_text": after.side.predictions[i].text,
            "before": before.side.each[i], "after": after.side.each[i], "before_rank": before.ranks[i], "after_rank": after.ranks[i],
            "before_blame": before.blames[i], "after_blame": after.blames[i],
        }
        for i, one in enumerate(comparison.rows)
    ]  # fmt: skip


def _effect_row(iteration_id: int, values: dict[str, Any]) -> dict[str, Any]:
    return {"iteration_id": iteration_id, "label_id": values.pop("label"), **values}
