"""How good a release is on gold rows: reading the given context, or retrieving from the corpus first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from retriever.evaluate import hit_at, ndcg, reciprocal_rank
from training.artefact import verify
from training.tasks import Task, get_task, load_function
from training.types import Gold, QuestionRow, Report
from webapp import home
from webapp.errors import Invalid
from webapp.iterations.reading import BATCH, evaluate
from webapp.iterations.relevance import Sought, relevant_passages
from webapp.models import Document, Passage, Project, Release, db
from webapp.projects.settings import read as read_settings
from webapp.releases import service as release_service
from webapp.releases import serving

MODES = ("given", "retrieved")
RETRIEVAL_METRICS = ("recall_at_1", "recall_at_5", "recall_at_10", "mrr_at_10", "ndcg_at_10")
DEPTH = 10  # retrieved passages judged; the answerer reads as many as the project shows


@dataclass(frozen=True)
class Evaluated:
    """``n`` rows were asked; ``n_retrieval`` of them count for the retrieval metrics; ``rejected`` rows were unusable.

    ``n_own_context`` rows were asked of retrieved passages though all they say is that their own context has no answer.
    """

    release: int
    n: int
    metrics: dict[str, float]
    n_retrieval: int
    rejected: list[dict[str, str]]
    n_own_context: int = 0


def evaluate_release(project: Project, gold: Path, *, mode: str, number: int | None, report: Report) -> Evaluated:
    """Raises ``Invalid`` for a file without a usable row, ``NotFound`` for an unknown release, ``Damaged`` for a broken one."""
    if mode not in MODES:
        raise Invalid(f"The mode is given or retrieved, not {mode!r}.")
    release = (
        release_service.release_or_404(project, number) if number is not None else release_service.champion_of(project)
    )
    if release is None:
        raise Invalid(
            f'{project.name} has no release to evaluate; build the index first: `errata index "{project.name}"`.'
        )
    rejected: list[dict[str, str]] = []
    rows = read_gold(get_task(project.task), gold, rejected)
    if mode == "given":
        metrics = _read_given(project, release, rows, report)
        return Evaluated(release.number, len(rows), metrics, 0, rejected)
    metrics, counted = _read_retrieved(project, release, rows, report)
    silent = sum(not row.answers and bool(row.context.strip()) for row in rows)
    return Evaluated(release.number, len(rows), metrics, counted, rejected, silent)


def read_gold(task: Task, path: Path, rejected: list[dict[str, str]]) -> list[QuestionRow]:
    if not path.is_file():
        raise Invalid(f"There is no file {path}; give the path of a file of gold rows.")
    read = load_function(task.READERS["gold"])
    rows: list[QuestionRow] = list(
        read(path, drop=lambda name, reason: rejected.append({"row": str(name), "reason": reason}))
    )
    if not rows:
        first = f" The first row was refused because {rejected[0]['reason']}." if rejected else ""
        raise Invalid(
            f"{path.name} has no usable gold row: each needs a question, a context and answers or is_impossible.{first}"
        )
    return rows


def _golds(rows: Sequence[QuestionRow], passages: Sequence[tuple[str, ...]]) -> list[Gold]:
    return [
        Gold(str(i), row.question, given, tuple(dict.fromkeys(text for text, _ in row.answers)))
        for i, (row, given) in enumerate(zip(rows, passages, strict=True))
    ]


def _read_given(project: Project, release: Release, rows: Sequence[QuestionRow], report: Report) -> dict[str, float]:
    task = get_task(project.task)
    folder = home.absolute(release.answerer_path)
    verify(folder, kind="answerer")
    side = evaluate(
        task,
        serving.answerer_alone(project, folder),
        _golds(rows, [(row.context,) for row in rows]),
        lambda f: report(f, "Asking each question"),
    )
    return side.metrics


def _read_retrieved(
    project: Project, release: Release, rows: Sequence[QuestionRow], report: Report
) -> tuple[dict[str, float], int]:
    task = get_task(project.task)
    loaded = serving.load_release(serving.describe(release))
    shown = read_settings(project).passages_shown
    ranked: list[list[int]] = []
    for first in range(0, len(rows), BATCH):
        report(0.4 * first / len(rows), "Retrieving passages")
        hits = loaded.search([row.question for row in rows[first : first + BATCH]], k=DEPTH)
        ranked.extend([hit.passage for hit in found] for found in hits)
    texts = serving.passage_texts([passage for found in ranked for passage in found[:shown]])
    passages = [tuple(texts[passage] for passage in found[:shown] if passage in texts) for found in ranked]
    side = evaluate(
        task, loaded.answerer, _golds(rows, passages), lambda f: report(0.4 + 0.6 * f, "Asking each question")
    )
    retrieval, counted = score_retrieval(rows, ranked, corpus_passages(project))
    return {**side.metrics, **retrieval}, counted


def score_retrieval(
    rows: Sequence[QuestionRow], ranked: Sequence[Sequence[int]], passages: Iterator[tuple[int, str]]
) -> tuple[dict[str, float], int]:
    """Means over the answerable rows that the corpus can answer at all, and how many those are.

    ``recall_at_k`` is the share of questions with a relevant passage among the first k (one is enough to answer).
    """
    sought = [
        Sought(str(i), row.context, tuple(text for text, _ in row.answers)) for i, row in enumerate(rows) if row.answers
    ]
    relevant = relevant_passages(sought, passages)
    pairs = [(ranked[int(name)], found) for name, found in relevant.items()]
    if not pairs:
        return {}, 0
    figures: dict[str, list[float]] = {
        **{f"recall_at_{k}": [hit_at(found, right, k) for found, right in pairs] for k in (1, 5, 10)},
        "mrr_at_10": [reciprocal_rank(found, right, k=10) for found, right in pairs],
        "ndcg_at_10": [ndcg(found, dict.fromkeys(right, 1.0), k=10) for found, right in pairs],
    }
    return {name: sum(values) / len(values) for name, values in figures.items()}, len(pairs)


def corpus_passages(project: Project) -> Iterator[tuple[int, str]]:
    statement = (
        select(Passage.id, Passage.text).join(Document, Document.id == Passage.document_id)
        .where(Passage.project_id == project.id, Document.deleted_at.is_(None)).execution_options(yield_per=1000)
    )  # fmt: skip
    for row in db.session.execute(statement):
        yield row[0], row[1]
