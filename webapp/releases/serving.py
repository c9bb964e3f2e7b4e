"""A release in memory: hashes checked, embedder, index and answerer loaded, and able to answer."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from retriever.types import TUNED, Hit, RetrieverError
from training.answerers.settings import judges_by_likeness
from training.artefact import DamagedArtefact, manifest_sha256, verify
from training.tasks import get_task
from training.types import Input, Prediction, TrainingError
from webapp.errors import Damaged
from webapp.home import absolute, model_cache
from webapp.models import Document, Passage, Project, Release, db
from webapp.releases.memory import ProjectMemory

PROBE = "What is this about?"
# Asked for beyond what is shown, in case documents were deleted after the index was written.
SPARE_HITS = 5


@dataclass(frozen=True)
class ReleaseFiles:
    """Where the parts of a release lie: all a process needs to load it. Plain values only."""

    release_id: int
    number: int
    project_id: int
    project: str
    task: str
    answerer: str
    answerer_sha256: str
    embedder: str
    index: str | None
    index_sha256: str
    embedder_identity: str
    retriever: str | None = None  # what the retriever learned from labels
    retriever_sha256: str = ""


@dataclass(frozen=True)
class Answered:
    """One text's hits, best first, and what the answerer made of them. ``prediction.passage`` counts into ``hits``."""

    hits: tuple[Hit, ...]
    prediction: Prediction
    retrieval_s: float
    answer_s: float


@dataclass(frozen=True)
class LoadedRelease:
    files: ReleaseFiles
    task: Any
    answerer: Any
    embedder: Any  # None for a task without passages
    index: Any
    memory: ProjectMemory
    adapter: Any = None  # a retriever.adapter.Adapter, or None when the release's retriever has learned nothing

    def search(self, texts: Sequence[str], *, k: int, with_memory: bool = False) -> list[tuple[Hit, ...]]:
        """The ``k`` best passages per text that still exist. Needs an application context.

        ``with_memory``: labels on like questions move the ranking; without it the release's own parts are compared.
        """
        if self.index is None or not texts:
            return [() for _ in texts]
        vectors = self.embedder.encode(list(texts))
        lifts = self.memory.current(self.embedder).recall(vectors) if with_memory else None
        weight, reranker = (
            (self.adapter.words_weight, self.adapter.reranker) if self.adapter is not None else (1.0, None)
        )
        found = self.index.search_many(
            list(texts),
            self._aim(texts, vectors),
            k=k + SPARE_HITS,
            lifts=lifts,
            words_weight=weight,
            reranker=reranker,
        )
        there = passage_texts([hit.passage for hits in found for hit in hits])
        return [tuple(hit for hit in hits if hit.passage in there)[:k] for hits in found]

    def _aim(self, texts: Sequence[str], vectors: Any) -> Any:
        if self.adapter is None:
            return vectors
        from retriever.school import aim

        return aim(self.index, self.adapter, texts, vectors)

    def answer(self, texts: Sequence[str], *, k: int) -> list[Answered]:
        """Answers in the order of ``texts``, with the memory of labels; times are shares of the batch. Needs an application context."""
        began = time.perf_counter()
        found = self.search(texts, k=k, with_memory=True)
        passages = passage_texts([hit.passage for hits in found for hit in hits])
        retrieved = time.perf_counter()
        inputs = [
            Input(str(number), text, tuple(passages[hit.passage] for hit in hits))
            for number, (text, hits) in enumerate(zip(texts, found, strict=True))
        ]
        predictions = self.task.predict(self.answerer, inputs)
        answered = time.perf_counter()
        share = 1 / max(len(inputs), 1)
        return [
            Answered(hits, prediction, (retrieved - began) * share, (answered - retrieved) * share)
            for hits, prediction in zip(found, predictions, strict=True)
        ]


def passage_texts(ids: Sequence[int]) -> dict[int, str]:
    """Texts of the passages whose document was not deleted."""
    if not ids:
        return {}
    query = (
        select(Passage.id, Passage.text).join(Document).where(Passage.id.in_(set(ids)), Document.deleted_at.is_(None))
    )
    texts = {passage_id: text for passage_id, text in db.session.execute(query)}
    db.session.rollback()  # no model runs while a read transaction is open
    return texts


def describe(release: Release) -> ReleaseFiles:
    project = db.session.get_one(Project, release.project_id)
    index = release.index
    return ReleaseFiles(
        release_id=release.id,
        number=release.number,
        project_id=project.id,
        project=project.name,
        task=project.task,
        answerer=str(absolute(release.answerer_path)),
        answerer_sha256=release.answerer_sha256,
        embedder=project.embedder,
        index=str(absolute(index.path)) if index is not None else None,
        index_sha256=index.sha256 if index is not None else "",
        embedder_identity=release.embedder,
        retriever=str(absolute(release.retriever_path)) if release.retriever_path else None,
        retriever_sha256=release.retriever_sha256 or "",
    )


def verify_release(files: ReleaseFiles) -> None:
    """Check every byte of the release's artefacts. Raises :class:`Damaged` naming the file."""
    parts = [(files.answerer, files.answerer_sha256, "answerer")]
    if files.index is not None:
        parts.append((files.index, files.index_sha256, "index"))
    if files.retriever is not None:
        parts.append((files.retriever, files.retriever_sha256, "retriever"))
    try:
        for folder, sha256, kind in parts:
            verify(Path(folder), kind=kind)
            if manifest_sha256(Path(folder)) != sha256:
                raise DamagedArtefact(f"{folder} is not the {kind} this release was made with.")
    except DamagedArtefact as error:
        raise Damaged(f"Release {files.number} of {files.project} was refused: {error}") from error


def load_release(files: ReleaseFiles) -> LoadedRelease:
    """Verify, load and probe. Raises :class:`Damaged` when a part is not what it was or gives no sane answer."""
    from training.answerers import load_answerer

    verify_release(files)
    task = get_task(files.task)
    try:
        embedder, index = load_retriever(files)
        answerer = load_answerer(Path(files.answerer), task, similarity=similarity_served(files, embedder))
        memory = ProjectMemory(files.project_id)
        loaded = LoadedRelease(files, task, answerer, embedder, index, memory, _load_adapter(files))
        _probe(loaded)
    except (RetrieverError, TrainingError, DamagedArtefact) as error:
        raise Damaged(f"Release {files.number} of {files.project} was refused: {error}") from error
    return loaded


def load_retriever(files: ReleaseFiles) -> tuple[Any, Any]:
    """The embedder and the index; both None for a task without passages. Verify the release first."""
    if files.index is None:
        return None, None
    from retriever.index import HybridIndex

    embedder = load_own_embedder(files.embedder, Path(files.retriever) if files.retriever is not None else None)
    if embedder.identity != files.embedder_identity:
        raise Damaged(
            f"Release {files.number} of {files.project} was refused: its index was built with the embedder "
            f"{files.embedder_identity}, but {files.embedder} is now {embedder.identity}; "
            f'`errata index "{files.project}"` rebuilds it.'
        )
    return embedder, HybridIndex.load(Path(files.index), embedder_identity=embedder.identity)


def load_own_embedder(name: str, retriever: Path | None) -> Any:
    """The encoder within the artefact ``retriever``, verified before, when it holds one; else the project's embedder ``name``."""
    from retriever.embedder import load_embedder, load_encoder
    from retriever.encoder_trial import ENCODER

    if retriever is not None and (retriever / ENCODER).is_dir():
        return load_encoder(retriever / ENCODER)
    return load_embedder(name, cache=model_cache())


def similarity_served(files: ReleaseFiles, embedder: Any) -> Any:
    """What tells how alike a text and a passage are, always by the project's own embedder; None for a task without passages, and where that
    embedder is gone, which a release with an encoder of its own outlives: it then judges by its own odds."""
    from retriever.similarity import SentenceSimilarity

    if embedder is None or not judges_by_likeness(Path(files.answerer)):
        return None
    if not embedder.identity.startswith(TUNED):
        return SentenceSimilarity(embedder)
    try:
        return SentenceSimilarity(load_own_embedder(files.embedder, None))
    except RetrieverError:
        return None


def answerer_alone(project: Project, folder: Path, *, seed: int = 0, learns: bool = False) -> Any:
    """The model in ``folder`` for the project's task, without a release around it; ``learns``: it may learn to judge by likeness."""
    from retriever.similarity import SentenceSimilarity
    from training.answerers import load_answerer

    task = get_task(project.task)
    is_needed = task.USES_PASSAGES and (learns or judges_by_likeness(folder))
    similarity = SentenceSimilarity(load_own_embedder(project.embedder, None)) if is_needed else None
    return load_answerer(folder, task, seed=seed, similarity=similarity)


def embedder_in_service(project: Project, champion: Release | None) -> Any:
    """What new passages are embedded with. Raises :class:`Damaged` when the champion's own encoder is not what it was."""
    if champion is None or champion.retriever_path is None or not champion.embedder.startswith(TUNED):
        return load_own_embedder(project.embedder, None)
    place = absolute(champion.retriever_path)
    try:
        verify(place, kind="retriever")
        return load_own_embedder(project.embedder, place)
    except (DamagedArtefact, RetrieverError) as error:
        raise Damaged(
            f"The encoder of release {champion.number} cannot be used ({error}); restore it from a backup or promote another release."
        ) from error


def is_other_encoder(one: str, other: str) -> bool:
    """Whether two embedders differ because an iteration fine-tuned one of them, not because the project's own was replaced."""
    return one != other and (one.startswith(TUNED) or other.startswith(TUNED))


def _load_adapter(files: ReleaseFiles) -> Any:
    if files.retriever is None:
        return None
    from retriever.adapter import Adapter

    return Adapter.load(Path(files.retriever), embedder_identity=files.embedder_identity)


def _probe(loaded: LoadedRelease) -> None:
    [answered] = loaded.answer([PROBE], k=2)
    prediction = answered.prediction
    if not all(
        math.isfinite(value) for value in (prediction.score, prediction.answerable_score, prediction.log_probability)
    ):
        raise TrainingError(
            "its answer to the probe question is not a number; train it again or promote another release."
        )
