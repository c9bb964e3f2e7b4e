"""What is known of each test question besides its right answers: the label behind it, the passages that answer it, its split."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from training.tasks import get_task
from webapp.datasets.examples import Evaluation, locate
from webapp.iterations.evaluation import DEPTH, corpus_passages
from webapp.iterations.gate import FEW
from webapp.iterations.reading import BATCH, Search
from webapp.iterations.relevance import Sought, relevant_passages
from webapp.models import Answer, AnswerPassage, EvaluationRow, Iteration, Label, Passage, Project, Question, db

_CHUNK = 500


@dataclass(frozen=True)
class Asked:
    """``decision``: the label's verdict or reject reason, ``gold`` for an imported row. ``relevant``: None when no right passage is known."""

    row: Evaluation
    decision: str
    relevant: frozenset[int] | None
    split: str


def look_up(project: Project, rows: Sequence[Evaluation], *, splits: Mapping[int, str] | None = None) -> list[Asked]:
    """The rows in their order. ``splits``: question -> fixed, rolling or earlier; ``fixed`` when not given."""
    labels = _labels([row.label for row in rows if row.label is not None])
    relevant = _relevant(project, rows, labels) if get_task(project.task).USES_PASSAGES else {}
    return [
        Asked(
            row, labels[row.label].decision if row.label in labels else row.source, relevant.get(place),
            (splits or {}).get(row.question or 0, "fixed"),
        )
        for place, row in enumerate(rows)
    ]  # fmt: skip


@dataclass(frozen=True)
class _Labelled:
    decision: str
    right: str  # the text of the passage known to be right, "" when none is


def _labels(ids: Sequence[int]) -> dict[int, _Labelled]:
    found: dict[int, _Labelled] = {}
    for first in range(0, len(ids), _CHUNK):
        statement = (
            select(Label.id, func.coalesce(Label.reject_reason, Label.verdict), Label.verdict, Label.text, Label.passage_id,
                   Label.answer_id, Answer.passage_id)
            .outerjoin(Answer, Answer.id == Label.answer_id).where(Label.id.in_(ids[first : first + _CHUNK]))
        )  # fmt: skip
        for label, decision, verdict, text, chosen, answer, read in db.session.execute(statement).all():
            is_answer = verdict in ("accept", "correct") and bool(text.strip())
            found[label] = _Labelled(decision, _right_passage(text, chosen, read, answer) if is_answer else "")
    return found


def _right_passage(text: str, chosen: int | None, read: int | None, answer: int | None) -> str:
    """The passage a person chose, else the one the answer was read in or else a shown one, if the right answer stands there."""
    if chosen is not None:
        return db.session.scalar(select(Passage.text).where(Passage.id == chosen)) or ""
    shown = (
        select(Passage.text).join(AnswerPassage, AnswerPassage.passage_id == Passage.id)
        .where(AnswerPassage.answer_id == answer).order_by(Passage.id != read, AnswerPassage.rank)
    )  # fmt: skip
    return next((passage for passage in db.session.scalars(shown) if locate(text, passage) is not None), "")


def _relevant(
    project: Project, rows: Sequence[Evaluation], labels: Mapping[int, _Labelled]
) -> dict[int, frozenset[int]]:
    """By place in ``rows``. A gold row without a context is answered by any passage with one of its answers."""
    contexts = _gold_contexts([row.question for row in rows if row.source == "gold" and row.question is not None])
    sought = []
    for place, row in enumerate(rows):
        known = labels.get(row.label) if row.label is not None else None
        context = known.right if known else contexts.get(row.question or 0, "")
        if row.gold.answerable and (context or known is None):
            sought.append(Sought(str(place), context, row.gold.answers))
    found = relevant_passages(sought, corpus_passages(project)) if sought else {}
    return {int(place): frozenset(passages) for place, passages in found.items()}


def _gold_contexts(questions: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for first in range(0, len(questions), _CHUNK):
        statement = select(Question.id, Question.gold).where(Question.id.in_(questions[first : first + _CHUNK]))
        found.update({row[0]: (row[1] or {}).get("context") or "" for row in db.session.execute(statement)})
    return found


def find_ranks(asked: Sequence[Asked], search: Search | None, report: Callable[[float], None]) -> list[int | None]:
    """The rank, from 1, of the first relevant passage of each question; None when none is known or none was among the first ten."""
    ranks: list[int | None] = [None] * len(asked)
    known = [place for place, one in enumerate(asked) if one.relevant] if search is not None else []
    for first in range(0, len(known), BATCH):
        report(first / len(known))
        places = known[first : first + BATCH]
        found = search([asked[place].row.gold.text for place in places], DEPTH) if search is not None else []
        for place, passages in zip(places, found, strict=True):
            relevant = asked[place].relevant or frozenset()
            ranks[place] = next((rank for rank, one in enumerate(passages, 1) if one in relevant), None)
    return ranks


def rank_figures(rank: int | None) -> dict[str, float]:
    """What a rank is worth in the metrics, question by question."""
    return {"recall_at_5": float(rank is not None and rank <= 5), "mrr_at_10": 1 / rank if rank is not None else 0.0}


def splits_of(project: Project, questions: Sequence[int], champion_iteration: int | None) -> dict[int, str]:
    """``fixed``, ``rolling`` or ``earlier`` for each question.

    The fixed questions are those of the project's first comparison with at least 30 test questions; they are never added to. Until
    there is one, every test question is fixed. Rolling are those that were no test question yet when the champion was made, so
    that it was not chosen by them; what lies between is ``earlier``.
    """
    fixed = _questions_of(_first_comparison(project))
    seen = _questions_of(champion_iteration)
    return {one: "fixed" if not fixed or one in fixed else "earlier" if one in seen else "rolling" for one in questions}


def _first_comparison(project: Project) -> int | None:
    statement = (
        select(Iteration.id).join(EvaluationRow, EvaluationRow.iteration_id == Iteration.id)
        .where(Iteration.project_id == project.id).group_by(Iteration.id, Iteration.number)
        .having(func.count(EvaluationRow.id) >= FEW).order_by(Iteration.number).limit(1)
    )  # fmt: skip
    return db.session.scalar(statement)


def _questions_of(iteration: int | None) -> set[int]:
    if iteration is None:
        return set()
    statement: Any = select(EvaluationRow.question_id).where(EvaluationRow.iteration_id == iteration)
    return set(db.session.scalars(statement))
