"""What an iteration's labels teach the retriever: the choice, its artefact, and the sentence about it on the iteration."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retriever.types import TUNED, RetrieverError
from training import artefact
from webapp import home
from webapp.corpus.index import current_index, index_with
from webapp.datasets.files import SPLITS, read_triples
from webapp.db import write
from webapp.jobs.context import JobContext
from webapp.models import Dataset, Iteration, Project, Release, db
from webapp.releases import serving
from webapp.releases.service import LearnedRetriever, retriever_of

if TYPE_CHECKING:
    from retriever.encoder_trial import Tuning
    from retriever.learning import Choice
    from retriever.school import Taught

Report = Callable[[float, str], None]


def teach_retriever(
    context: JobContext, project: Project, iteration: Iteration, dataset: Dataset, report: Report
) -> LearnedRetriever | None:
    """What the candidate's retriever has learned: anew from the dataset's triples when that is better, else what the champion's has.

    A later attempt of the job finds what an earlier one saved.
    """
    champion = db.session.get(Release, project.champion_id) if project.champion_id else None
    kept = retriever_of(champion, champion.index) if champion is not None else None
    if champion is None or champion.index is None or _mode(iteration) == "off":
        return kept
    place = home.project_folder(project.id) / home.ARTEFACT_FOLDERS["retriever"] / str(iteration.config["answerer"])
    scratch = home.absolute(iteration.path) / "encoder"
    if not place.exists():
        choice = _choose(project, champion, dataset, scratch, iteration, report=part(report, 0.0, 0.7))
        if choice is not None:
            _write_down(context, iteration, choice)
        if choice is not None and choice.adapter is not None:
            _save(place, choice, iteration, dataset)
        shutil.rmtree(scratch, ignore_errors=True)
        if not place.exists():
            return kept
    artefact.verify(place, kind="retriever")
    learned = LearnedRetriever(home.relative(place), artefact.manifest_sha256(place))
    return _with_its_index(project, champion, learned, place, report=part(report, 0.7, 1.0))


def _mode(iteration: Iteration) -> str:
    """The setting it was started with, whatever the project's has become: a later attempt goes on as the first one began."""
    return str(iteration.config.get("learn_retriever", "off"))


def part(report: Report, low: float, high: float) -> Report:
    return lambda fraction, message: report(low + (high - low) * fraction, message)


def _choose(
    project: Project, champion: Release, dataset: Dataset, scratch: Path, iteration: Iteration, *, report: Report
) -> "Choice | None":
    from retriever.learning import Choice, choose

    folder, files, seed = home.absolute(dataset.path), serving.describe(champion), iteration.seed
    with_encoder = _mode(iteration) == "encoder"
    taught = _read_taught(folder)
    db.session.rollback()  # no model runs while a read transaction is open
    if not taught:
        return None
    report(0.0, "The retriever: loading its index")
    try:
        embedder, index = _material(project, files, report=part(report, 0.0, 0.1))
        db.session.rollback()
        vectors = embedder.encode([item.text for item in taught])
        tuning = _tuning(embedder, scratch) if with_encoder else None
        return choose(index, taught, vectors, seed=seed, report=part(report, 0.1, 1.0), tuning=tuning)
    except RetrieverError as error:
        return Choice(None, f"The retriever stays as it is: it could not be trained. {error}", {}, is_held=True)


def _material(project: Project, files: serving.ReleaseFiles, *, report: Report) -> tuple[Any, Any]:
    """The project's own embedder and the passages under it: like an answerer, an encoder is always trained from its base.

    One that is in service has seen some of the questions that the choice holds out.
    """
    if not files.embedder_identity.startswith(TUNED):
        serving.verify_release(files)
        return serving.load_retriever(files)
    embedder = serving.load_own_embedder(project.embedder, None)
    return embedder, current_index(project, embedder, report=report)


def _tuning(embedder: Any, scratch: Path) -> "Tuning | None":
    """None for an embedder without weights, which nothing can be taught."""
    from retriever.embedder import SentenceEmbedder
    from retriever.encoder_trial import Tuning

    return Tuning(embedder, scratch) if isinstance(embedder, SentenceEmbedder) else None


def _with_its_index(
    project: Project, champion: Release, learned: LearnedRetriever, place: Path, *, report: Report
) -> LearnedRetriever:
    """With an index of its own when its embedder is not the champion's: every passage is embedded again then, and only then."""
    identity = artefact.read_manifest(place)["about"]["embedder"]
    if champion.index is not None and champion.index.embedder == identity:
        return learned
    embedder = serving.load_own_embedder(project.embedder, place)
    index_place = home.project_folder(project.id) / home.ARTEFACT_FOLDERS["index"] / place.name
    return replace(learned, index=index_with(project, embedder, place=index_place, report=report))


def _read_taught(folder: Path) -> "list[Taught]":
    """Training and validation questions; a test question teaches nothing."""
    from retriever.school import Taught

    triples = read_triples(folder)
    learned = [triple for split in SPLITS if split != "test" for triple in triples[split]]
    return [Taught(triple.text, (triple.positive_id,), triple.negative_ids) for triple in learned]


def _save(place: Path, choice: "Choice", iteration: Iteration, dataset: Dataset) -> None:
    from retriever.encoder_trial import ENCODER

    assert choice.adapter is not None
    about = {"iteration": iteration.number, "figures": choice.figures, "embedder": choice.adapter.embedder_identity}
    with artefact.writing(place, kind="retriever", parents={"dataset": dataset.fingerprint}, about=about) as folder:
        choice.adapter.save(folder)
        if choice.encoder is not None:
            shutil.copytree(choice.encoder, folder / ENCODER)


def _write_down(context: JobContext, iteration: Iteration, choice: "Choice") -> None:
    told: dict[str, Any] = {"sentence": choice.sentence, "figures": choice.figures, "held": choice.is_held}
    with write() as session:
        context.guard(session)
        row = session.get_one(Iteration, iteration.id, populate_existing=True)
        row.config = {**row.config, "retriever": told}
