"""The saved index over a corpus: split what is new, embed it, drop what was deleted, put the result in service."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from retriever.types import Passage as IndexPassage
from retriever.types import Report, RetrieverError
from training.artefact import DamagedArtefact, manifest_sha256, read_manifest, verify, writing
from training.safety import resolve_base
from training.tasks import get_task
from webapp.audit import record
from webapp.corpus.importing import refuse_deleted
from webapp.db import write
from webapp.errors import Invalid
from webapp.home import absolute, model_cache, new_artefact_path, relative
from webapp.models import CorpusIndex, Document, Job, Passage, Project, Release, db
from webapp.releases import reindexing, serving
from webapp.releases.by_hand import request_answers
from webapp.releases.mending import is_base_lost
from webapp.releases.service import base_answerer, champion_of, create_release, promote, retriever_of

if TYPE_CHECKING:
    from retriever.embedder import Embedder
    from retriever.index import HybridIndex

PASSAGE_TOKENS = 180  # the title is embedded with the passage, and both together stay within the embedder's limit
OVERLAP_TOKENS = 40
PASSAGES_PER_WRITE = 500
DOCUMENTS_PER_READ = 100
READ_ROWS = 5_000

enqueue_index, request_index = reindexing.enqueue_index, reindexing.request_index
log = logging.getLogger("errata.corpus")


@dataclass(frozen=True)
class IndexResult:
    """``release`` is the number now in service, ``index`` the id of its index (None: the task uses no passages)."""

    documents: int
    passages: int
    added: int
    removed: int
    embedder: str
    index: int | None
    release: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class IndexState:
    """What the pages say about the index. ``failed`` is the last job that ended, where it failed."""

    documents: int
    index: CorpusIndex | None
    release: Release | None
    job: Job | None
    failed: Job | None
    is_out_of_date: bool


def _live(project: Project) -> tuple[Any, ...]:
    return (Document.project_id == project.id, Document.deleted_at.is_(None))


def _extent(project: Project) -> tuple[int, int]:
    """How many documents there are and the highest id: ids only grow, so any change to the set changes one of the two."""
    row = db.session.execute(select(func.count(), func.max(Document.id)).where(*_live(project))).one()
    return int(row[0]), int(row[1] or 0)


def newest_index(project: Project, *, embedder: str | None = None) -> CorpusIndex | None:
    """``embedder``: of that identity alone; one that an iteration fine-tuned has indexes of its own."""
    query = select(CorpusIndex).where(CorpusIndex.project_id == project.id).order_by(CorpusIndex.id.desc()).limit(1)
    return db.session.scalar(query if embedder is None else query.where(CorpusIndex.embedder == embedder))


def _indexed_extent(index: CorpusIndex) -> tuple[int, int]:
    try:
        about = read_manifest(absolute(index.path)).get("about", {})
    except DamagedArtefact:
        return -1, -1
    return int(about.get("documents", -1)), int(about.get("last_document", -1))


def index_state(project: Project) -> IndexState:
    champion = champion_of(project)
    index = champion.index if champion is not None else None
    active = select(Job).where(
        Job.lock == reindexing.lock_name(project.id), Job.state.in_(("queued", "leased", "running"))
    )
    ended = select(Job).where(Job.project_id == project.id, Job.kind == "index", Job.state.in_(("succeeded", "failed")))
    last = db.session.scalar(ended.order_by(Job.id.desc()).limit(1))
    failed = last if last is not None and last.state == "failed" else None
    extent = _extent(project)
    is_old = is_out_of_date(project, extent=extent)
    return IndexState(extent[0], index, champion, db.session.scalar(active), failed, is_old)


def is_out_of_date(project: Project, *, extent: tuple[int, int] | None = None) -> bool:
    """Whether the index in service differs from the documents there are. A project with nothing at all is up to date."""
    champion = champion_of(project)
    extent = extent or _extent(project)
    if champion is None:
        return extent[0] > 0
    if champion.index is None:
        return extent[0] > 0 and get_task(project.task).USES_PASSAGES
    return _indexed_extent(champion.index) != extent


def update_index(
    project: Project, *, report: Report, guard: Callable[[Session], None] = lambda _session: None
) -> IndexResult:
    """Bring the index up to the documents and put it in service as a release with the same answerer.

    The first release of a project is made here from its base model. Only what is new is embedded. A damaged index, or one of
    another embedder, is built again from the passages, and a damaged copy of the base model is made again. Nothing changes in service until the last transaction.
    """
    started = time.monotonic()
    report(0.0, "Loading the embedder")
    if not get_task(project.task).USES_PASSAGES:
        return _publish(project, None, counts=(0, 0), started=started, guard=guard)
    embedder = serving.embedder_in_service(project, champion_of(project))
    extent = _extent(project)
    if extent[0] == 0 and newest_index(project) is None:
        raise Invalid(f"{project.name} has no documents to index; import some first.")
    if champion_of(project) is None:
        resolve_base(project.base, model_cache())  # a base that cannot be used is told before everything is embedded
    _split_new(project, embedder, report=_part(report, 0.0, 0.2), guard=guard)
    index, counts = _updated(project, embedder, report=_part(report, 0.2, 0.9))
    report(0.9, "Saving the index")
    saved = newest_index(project, embedder=embedder.identity)
    if index is not None:
        saved = _save(project, index, embedder=embedder, extent=extent)
    report(0.95, "Putting it in service")
    return _publish(project, saved, counts=counts, started=started, guard=guard)


def current_index(project: Project, embedder: "Embedder", *, report: Report) -> "HybridIndex":
    """The passages there are under this embedder, which need not be the one in service; nothing is saved."""
    index, _ = _updated(project, embedder, report=report)
    found = index or _load_newest(project, embedder)
    if found is None:
        raise Invalid(f"{project.name} has no index that can be read; `errata index '{project.name}'` rebuilds it.")
    return found


def index_with(project: Project, embedder: "Embedder", *, place: Path, report: Report) -> CorpusIndex:
    """The index of all passages under an embedder that is not in service yet: its row, not stored when it is new.

    What an earlier attempt left at ``place`` is taken when it is whole: its files are checked, not whose vectors it holds, since an
    iteration's place is its own and so is its embedder. Documents that came since come in later.
    """
    if place.exists():
        about = verify(place, kind="index")["about"]
        return CorpusIndex(
            project_id=project.id, path=relative(place), sha256=manifest_sha256(place), embedder=about["embedder"],
            documents=about["documents"], passages=about["passages"],
        )  # fmt: skip
    extent = _extent(project)
    index, _ = _updated(project, embedder, report=report)
    newest = newest_index(project, embedder=embedder.identity)
    if index is None and newest is not None:
        return newest
    assert index is not None
    return _save(project, index, embedder=embedder, extent=extent, place=place)


def _part(report: Report, low: float, high: float) -> Report:
    return lambda fraction, message: report(low + fraction * (high - low), message)


def _split_new(project: Project, embedder: "Embedder", *, report: Report, guard: Callable[[Session], None]) -> None:
    """Passages for the documents that have none yet; each document's passages are stored together or not at all."""
    without = select(Document.id).outerjoin(Passage).where(*_live(project), Passage.id.is_(None)).order_by(Document.id)
    todo = list(db.session.scalars(without))
    rows: list[dict[str, Any]] = []
    for done in range(0, len(todo), DOCUMENTS_PER_READ):
        chunk = select(Document.id, Document.text).where(Document.id.in_(todo[done : done + DOCUMENTS_PER_READ]))
        for document_id, text in db.session.execute(chunk).all():
            rows += _passage_rows(project, document_id, text, embedder=embedder)
            if len(rows) >= PASSAGES_PER_WRITE:
                rows = _store_passages(project, rows, guard=guard)
        report(done / len(todo), f"Splitting documents: {done:,} of {len(todo):,}")
    _store_passages(project, rows, guard=guard)


def _passage_rows(project: Project, document_id: int, text: str, *, embedder: "Embedder") -> list[dict[str, Any]]:
    from retriever.splitter import split

    limit = min(PASSAGE_TOKENS, embedder.max_tokens)
    overlap = min(OVERLAP_TOKENS, limit // 4)
    spans = split(text, max_tokens=limit, overlap_tokens=overlap, count_tokens=embedder.count_tokens)
    return [
        {
            "project_id": project.id, "document_id": document_id, "position": position, "start": span.start, "end": span.end,
            "text": text[span.start : span.end],
        }
        for position, span in enumerate(spans)
    ]  # fmt: skip


def _store_passages(
    project: Project, rows: list[dict[str, Any]], *, guard: Callable[[Session], None]
) -> list[dict[str, Any]]:
    if rows:
        with write() as session:
            guard(session)
            refuse_deleted(session, project)
            session.execute(insert(Passage), rows)
    return []


def _updated(project: Project, embedder: "Embedder", *, report: Report) -> tuple["HybridIndex | None", tuple[int, int]]:
    """The changed index and how many passages came and went; None when the newest saved one is right as it is."""
    wanted = set(db.session.scalars(select(Passage.id).join(Document).where(*_live(project))))
    index = _load_newest(project, embedder)
    if not wanted and index is None:
        raise Invalid(f"{project.name} has no text to index; import documents first.")
    held = set(index.ids) if index is not None else set()
    gone, new = sorted(held - wanted), sorted(wanted - held)
    if index is not None and not gone and not new and _is_same_extent(project, embedder):
        return None, (0, 0)
    if index is not None and gone:
        index.remove(gone)
    if new:
        index = _with_added(index, new, embedder=embedder, report=report)
    return index, (len(new), len(gone))


def _is_same_extent(project: Project, embedder: "Embedder") -> bool:
    newest = newest_index(project, embedder=embedder.identity)
    return newest is not None and _indexed_extent(newest) == _extent(project)


def _with_added(
    index: "HybridIndex | None", new: Sequence[int], *, embedder: "Embedder", report: Report
) -> "HybridIndex":
    from retriever.index import HybridIndex, passage_text

    passages = list(_read_passages(new))
    vectors = embedder.encode([passage_text(passage) for passage in passages], report=report)
    if index is None:
        return HybridIndex.build(passages, vectors, embedder_identity=embedder.identity)
    index.add(passages, vectors)
    return index


def _read_passages(ids: Sequence[int]) -> Iterator[IndexPassage]:
    for start in range(0, len(ids), READ_ROWS):
        chunk = ids[start : start + READ_ROWS]
        rows = (
            select(Passage.id, Passage.text, Document.title)
            .join(Document)
            .where(Passage.id.in_(chunk))
            .order_by(Passage.id)
        )
        for passage_id, text, title in db.session.execute(rows).all():
            yield IndexPassage(passage_id, text, title)


def _load_newest(project: Project, embedder: "Embedder") -> "HybridIndex | None":
    """The newest saved index, or None when it has to be built again from the passages."""
    from retriever.index import HybridIndex

    newest = newest_index(project, embedder=embedder.identity)
    if newest is None:
        return None
    folder = absolute(newest.path)
    try:
        verify(folder, kind="index")
        return HybridIndex.load(folder, embedder_identity=embedder.identity)
    except (DamagedArtefact, RetrieverError) as error:
        log.warning("The index is built again: %s", error)
        return None


def _save(
    project: Project,
    index: "HybridIndex",
    *,
    embedder: "Embedder",
    extent: tuple[int, int],
    place: Path | None = None,
) -> CorpusIndex:
    """The index as an artefact, and the row that will point at it."""
    previous = newest_index(project, embedder=embedder.identity)
    place = place or new_artefact_path(project.id, "index")
    about = {"embedder": embedder.identity, "documents": extent[0], "last_document": extent[1], "passages": len(index)}
    with writing(place, kind="index", parents={"index": previous.sha256} if previous else {}, about=about) as folder:
        index.save(Path(folder))
    return CorpusIndex(
        project_id=project.id, path=relative(place), sha256=manifest_sha256(place), embedder=embedder.identity,
        documents=extent[0], passages=len(index),
    )  # fmt: skip


def _publish(
    project: Project,
    index: CorpusIndex | None,
    *,
    counts: tuple[int, int],
    started: float,
    guard: Callable[[Session], None],
) -> IndexResult:
    """One transaction: the index, a release with it and the answerer in service, its promotion, answers to be made again."""
    champion = champion_of(project)
    is_lost = champion is not None and is_base_lost(champion)
    made = base_answerer(project) if champion is None or is_lost else None
    with write() as session:
        guard(session)
        refuse_deleted(session, project)
        if index is not None:
            session.add(index)
            session.flush()
        release = _release(session, project, index, made=made, instead_of=champion.id if champion is not None else None)
        session.flush()
    return IndexResult(
        documents=index.documents if index else 0, passages=index.passages if index else 0, added=counts[0], removed=counts[1],
        embedder=index.embedder if index else project.embedder, index=index.id if index else None, release=release.number,
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def _release(
    session: Session,
    project: Project,
    index: CorpusIndex | None,
    *,
    made: tuple[str, str] | None,
    instead_of: int | None,
) -> Release:
    """The champion, or a new one: with the index when it is another, with ``made`` when the champion is still ``instead_of``."""
    champion = champion_of(project)
    if champion is not None and champion.id != instead_of:
        made = None
    if champion is not None and index is not None and serving.is_other_encoder(champion.embedder, index.embedder):
        return champion  # another encoder came into service meanwhile: its own index is brought up to date next
    if champion is not None and made is None and (index is None or champion.index_id == index.id):
        return champion
    if champion is None:
        reason = f"first release, from the base model {project.base}"
    else:
        reason = (
            "same model, new index: the corpus changed"
            if made is None
            else f"the base model {project.base} copied again, its copy was lost"
        )
    path, sha256 = made or ((champion.answerer_path, champion.answerer_sha256) if champion is not None else ("", ""))
    release = create_release(
        session, project, answerer_path=path, answerer_sha256=sha256, index=index, parent=champion, reason=reason,
        iteration=None, metrics=champion.metrics if champion is not None else None, retriever=retriever_of(champion, index),
    )  # fmt: skip
    promote(session, project, release, reason=reason)
    record(session, "index.update", project_id=project.id, index=index.id if index else None, release=release.number)
    request_answers(session, project)
    return release
