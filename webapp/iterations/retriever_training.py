"""What an iteration's labels teach the retriever: the choice, its artefact, and the sentence about it on the iteration."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retriever.types import RetrieverError
from training import artefact
from webapp import home
from webapp.datasets.files import SPLITS, read_triples
from webapp.db import write
from webapp.jobs.context import JobContext
from webapp.models import Dataset, Iteration, Project, Release, db
from webapp.projects import settings as project_settings
from webapp.releases import serving
from webapp.releases.service import LearnedRetriever, retriever_of

if TYPE_CHECKING:
    from retriever.learning import Choice, Taught

Report = Callable[[float, str], None]


def teach_retriever(
    context: JobContext, project: Project, iteration: Iteration, dataset: Dataset, report: Report
) -> LearnedRetriever | None:
    """What the candidate's retriever has learned: anew from the dataset's triples when that is better, else what the champion's has.

    A later attempt of the job finds what an earlier one saved.
    """
    champion = db.session.get(Release, project.champion_id) if project.champion_id else None
    kept = retriever_of(champion, champion.index) if champion is not None else None
    if champion is None or champion.index is None or project_settings.read(project).learn_retriever == "off":
        return kept
    place = home.project_folder(project.id) / home.ARTEFACT_FOLDERS["retriever"] / str(iteration.config["answerer"])
    if place.exists():
        artefact.verify(place, kind="retriever")
        return LearnedRetriever(home.relative(place), artefact.manifest_sha256(place))
    choice = _choose(serving.describe(champion), dataset, seed=iteration.seed, report=report)
    if choice is None:
        return kept
    learned = _saved(place, choice, iteration, dataset)
    _write_down(context, iteration, choice)
    return learned or kept


def _choose(files: serving.ReleaseFiles, dataset: Dataset, *, seed: int, report: Report) -> "Choice | None":
    from retriever.learning import Choice, choose

    folder = home.absolute(dataset.path)
    taught = _read_taught(folder)
    db.session.rollback()  # no model runs while a read transaction is open
    if not taught:
        return None
    report(0.0, "The retriever: loading its index")
    try:
        embedder, index = serving.load_retriever(files)
        vectors = embedder.encode([item.text for item in taught])
        return choose(index, taught, vectors, seed=seed, report=report)
    except RetrieverError as error:
        return Choice(None, f"The retriever stays as it is: it could not be trained. {error}", {}, is_held=True)


def _read_taught(folder: Path) -> "list[Taught]":
    """Training and validation questions; a test question teaches nothing."""
    from retriever.learning import Taught

    triples = read_triples(folder)
    learned = [triple for split in SPLITS if split != "test" for triple in triples[split]]
    return [Taught(triple.text, (triple.positive_id,), triple.negative_ids) for triple in learned]


def _saved(place: Path, choice: "Choice", iteration: Iteration, dataset: Dataset) -> LearnedRetriever | None:
    if choice.adapter is None:
        return None
    about = {"iteration": iteration.number, "figures": choice.figures, "embedder": choice.adapter.embedder_identity}
    with artefact.writing(place, kind="retriever", parents={"dataset": dataset.fingerprint}, about=about) as folder:
        choice.adapter.save(folder)
    return LearnedRetriever(home.relative(place), artefact.manifest_sha256(place))


def _write_down(context: JobContext, iteration: Iteration, choice: "Choice") -> None:
    told: dict[str, Any] = {"sentence": choice.sentence, "figures": choice.figures, "held": choice.is_held}
    with write() as session:
        context.guard(session)
        row = session.get_one(Iteration, iteration.id, populate_existing=True)
        row.config = {**row.config, "retriever": told}
