"""The champion and the candidate, loaded side by side as they serve, through every comparison the gate looks at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.artefact import manifest_sha256
from training.safety import resolve_base
from training.tasks import get_task
from training.types import Input
from webapp import home
from webapp.datasets.examples import Evaluation
from webapp.iterations import effect
from webapp.iterations.asked import look_up, splits_of
from webapp.iterations.compare import Comparison, examine, judge
from webapp.iterations.history import iteration_of, past_champions
from webapp.iterations.latency import Ask, measure_latency
from webapp.iterations.reading import Contender
from webapp.models import Dataset, Project, Release, db
from webapp.projects import settings as project_settings
from webapp.releases import serving
from webapp.releases.service import LearnedRetriever
from webapp.releases.serving import ReleaseFiles

Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Pair:
    before: Contender
    after: Contender
    ask_before: Ask
    ask_after: Ask


def candidate_files(champion: Release, answerer_path: Path, retriever: LearnedRetriever | None = None) -> ReleaseFiles:
    """The champion's index, or the one of a new encoder, with the new answerer and what the retriever learned."""
    files = serving.describe(champion)
    if retriever is not None and retriever.index is not None:
        index = retriever.index
        files = replace(
            files, index=str(home.absolute(index.path)), index_sha256=index.sha256, embedder_identity=index.embedder
        )
    return replace(
        files, answerer=str(answerer_path), answerer_sha256=manifest_sha256(answerer_path),
        retriever=str(home.absolute(retriever.path)) if retriever is not None else None,
        retriever_sha256=retriever.sha256 if retriever is not None else "",
    )  # fmt: skip


def load_pair(project: Project, champion: Release | None, answerer_path: Path, candidate: ReleaseFiles | None) -> Pair:
    """``candidate``: the parts it would serve with; without a champion the base model is what it is compared with."""
    shown = project_settings.read(project).passages_shown
    if champion is None or candidate is None:
        task = get_task(project.task)
        old = serving.answerer_alone(project, resolve_base(project.base, home.model_cache()))
        new = serving.answerer_alone(project, answerer_path)
        return Pair(Contender(old), Contender(new), _asking(task, old), _asking(task, new))
    sides = [serving.load_release(files) for files in (serving.describe(champion), candidate)]
    before, after = (Contender(side.answerer, _searching(side)) for side in sides)
    return Pair(
        before, after, lambda text: sides[0].answer([text], k=shown), lambda text: sides[1].answer([text], k=shown)
    )


def _asking(task: Any, answerer: Any) -> Ask:
    return lambda text: task.predict(answerer, [Input("1", text)])


def _searching(loaded: serving.LoadedRelease) -> Any:
    if loaded.index is None:
        return None
    return lambda texts, k: [[hit.passage for hit in hits] for hits in loaded.search(texts, k=k)]


def contest(
    project: Project,
    pair: Pair,
    *,
    champion: Release | None,
    dataset: Dataset,
    rows: Sequence[Evaluation],
    seed: int,
    report: Report,
) -> Comparison:
    task, settings = get_task(project.task), project_settings.read(project)
    made_by = iteration_of(champion)
    asked = look_up(project, rows, splits=splits_of(project, [row.question or 0 for row in rows], made_by))
    past = past_champions(project, task.PRIMARY_METRIC, present=made_by)
    learned = effect.labels_to_measure(project, dataset, at_most=settings.effects)
    db.session.rollback()  # no model runs while a read transaction is open
    before, after = (
        examine(task, contender, asked, shown=settings.passages_shown, report=_part(report, low, words))
        for contender, low, words in ((pair.before, 0.0, "Asking the model in service"), (pair.after, 0.3, "Asking the candidate"))
    )  # fmt: skip
    latency = measure_latency(
        pair.ask_before, pair.ask_after, [row.gold.text for row in rows], limit=settings.slower_at_most,
        report=lambda f: report(0.6 + 0.1 * f, "Timing both"),
    )  # fmt: skip
    gate = judge(task, asked, before, after, past=past, latency=latency, noise=settings.slice_noise, seed=seed)
    effects = effect.measure(
        task, pair.before, pair.after, learned, report=_part(report, 0.7, "Asking labelled questions again")
    )
    return Comparison(tuple(asked), before, after, gate, effects)


def _part(report: Report, low: float, words: str) -> Callable[[float], None]:
    return lambda fraction: report(low + 0.3 * fraction, words)
