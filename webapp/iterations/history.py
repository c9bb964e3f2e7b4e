"""What every champion so far scored on the test questions, read from stored evaluations: the bar that no slice may slip under."""

from dataclasses import dataclass

from sqlalchemy import select

from webapp.models import EvaluationRow, Iteration, Project, Release, db

Scores = dict[int, tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class Past:
    """``scores``: question -> (its right answers then, the score)."""

    name: str
    scores: Scores


def past_champions(project: Project, metric: str, *, present: int | None) -> list[Past]:
    """Every release that was in service, but for the ``present`` iteration's, and the model in service before the first comparison."""
    statement = (
        select(Iteration.id, Release.number).join(Release, Release.iteration_id == Iteration.id)
        .where(Iteration.project_id == project.id, Release.promoted_at.is_not(None)).order_by(Iteration.number, Release.number.desc())
    )  # fmt: skip
    numbers = {iteration: number for iteration, number in db.session.execute(statement).all() if iteration != present}
    found = [
        Past(f"release {number}, once in service", _scores(iteration, metric)) for iteration, number in numbers.items()
    ]
    first = db.session.scalar(
        select(Iteration.id).join(EvaluationRow, EvaluationRow.iteration_id == Iteration.id)
        .where(Iteration.project_id == project.id).order_by(Iteration.number).limit(1)
    )  # fmt: skip
    return (
        [*found, Past("the first model in service", _scores(first, metric, is_before=True))]
        if first is not None
        else found
    )


def _scores(iteration: int, metric: str, *, is_before: bool = False) -> Scores:
    column = EvaluationRow.before if is_before else EvaluationRow.after
    statement = select(EvaluationRow.question_id, EvaluationRow.gold, column).where(
        EvaluationRow.iteration_id == iteration
    )
    return {
        question: (tuple(gold), float(scores.get(metric, 0.0)))
        for question, gold, scores in db.session.execute(statement).all()
    }


def iteration_of(release: Release | None) -> int | None:
    """The iteration that made this release's answerer, also when a later release only gave it another index."""
    if release is None:
        return None
    statement = (
        select(Release.iteration_id).where(
            Release.project_id == release.project_id, Release.answerer_sha256 == release.answerer_sha256, Release.iteration_id.is_not(None)
        ).order_by(Release.id).limit(1)
    )  # fmt: skip
    return release.iteration_id or db.session.scalar(statement)
