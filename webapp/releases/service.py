"""Releases: answerer + retriever + index as one unit; promoting and rolling back are one transaction each."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from training.artefact import manifest_sha256, read_manifest, writing
from training.safety import resolve_base
from webapp.audit import record
from webapp.errors import Damaged, Invalid, NotFound, Stale
from webapp.home import absolute, model_cache, new_artefact_path, relative
from webapp.models import CorpusIndex, Iteration, Project, Release, db, now

GATE, ERRATA, COMMAND = "the gate", "Errata", "the command line"
"""Who promotes where nobody is signed in; Errata itself does for a new index."""


def champion_of(project: Project) -> Release | None:
    """Read anew, so that a promotion a moment ago is seen."""
    query = select(Release).join(Project, Project.champion_id == Release.id).where(Project.id == project.id)
    return db.session.scalar(query.execution_options(populate_existing=True))


def iterations_in_service(session: Session, project_id: int) -> set[int]:
    """Those that made the answerer in service, also when a later release only gave it another index."""
    sha256 = select(Release.answerer_sha256).where(Release.project_id == project_id, Release.state == "champion")
    made = select(Release.iteration_id).where(
        Release.project_id == project_id, Release.iteration_id.is_not(None), Release.answerer_sha256.in_(sha256)
    )
    return {iteration for iteration in session.scalars(made) if iteration is not None}


def list_releases(project: Project) -> list[Release]:
    query = select(Release).where(Release.project_id == project.id).order_by(Release.number.desc())
    return list(db.session.scalars(query))


def release_or_404(project: Project, number: int) -> Release:
    query = select(Release).where(Release.project_id == project.id, Release.number == number)
    release = db.session.scalar(query)
    if release is None:
        raise NotFound(f"{project.name} has no release {number}; the page of releases lists them.")
    return release


def base_answerer(project: Project) -> tuple[str, str]:
    """A copy of the project's base model as an answerer artefact: its relative path and sha256. Slow for a large model.

    Copied, so that the home folder is whole by itself and a changed folder elsewhere cannot change a release.
    """
    base = resolve_base(project.base, model_cache())
    place = new_artefact_path(project.id, "answerer")
    with writing(place, kind="answerer", about={"base": project.base}) as folder:
        for path in sorted(base.rglob("*")):
            if path.is_file() and path.name != "manifest.json":
                target = folder / path.relative_to(base)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path.resolve(), target)
    return relative(place), manifest_sha256(place)


@dataclass(frozen=True)
class LearnedRetriever:
    """The artefact "retriever": its path relative to the home folder, and its sha256.

    ``index`` is what has to go into service with it when that is not the champion's: its encoder is another.
    """

    path: str
    sha256: str
    index: CorpusIndex | None = None


def retriever_of(release: Release | None, index: CorpusIndex | None) -> LearnedRetriever | None:
    """What ``release``'s retriever learned, as far as it fits ``index``: it is worth nothing with another embedder's vectors."""
    if release is None or release.retriever_path is None or index is None or index.embedder != release.embedder:
        return None
    return LearnedRetriever(release.retriever_path, release.retriever_sha256 or "")


def create_release(
    session: Session,
    project: Project,
    *,
    answerer_path: str,
    answerer_sha256: str,
    index: CorpusIndex | None,
    iteration: Iteration | None = None,
    parent: Release | None = None,
    reason: str,
    metrics: dict[str, Any] | None = None,
    retriever: LearnedRetriever | None = None,
) -> Release:
    """A candidate with the project's next number. Paths are relative to the home folder."""
    embedder = index.embedder if index is not None else project.embedder
    newest = session.scalar(select(func.max(Release.number)).where(Release.project_id == project.id))
    parts = [answerer_sha256, index.sha256 if index is not None else "", embedder]
    parts += [retriever.sha256] if retriever is not None else []
    release = Release(
        project_id=project.id,
        number=(newest or 0) + 1,
        answerer_path=answerer_path,
        answerer_sha256=answerer_sha256,
        index_id=index.id if index is not None else None,
        embedder=embedder,
        retriever_path=retriever.path if retriever is not None else None,
        retriever_sha256=retriever.sha256 if retriever is not None else None,
        sha256=hashlib.sha256("\n".join(parts).encode()).hexdigest(),
        iteration_id=iteration.id if iteration is not None else None,
        parent_id=parent.id if parent is not None else None,
        reason=reason,
        metrics=metrics,
    )
    session.add(release)
    session.flush()
    return release


def expect_champion(session: Session, project: Project, number: int | None) -> None:
    """First in the transaction of a person's decision: raises ``Stale`` when the champion is not ``number``, the one they saw.

    So of two people who decide at once the second is told. None expects nothing; 0 that there is no champion.
    """
    if number is None:
        return
    locked = select(Project.champion_id).where(Project.id == project.id).with_for_update()
    champion = session.get(Release, session.scalar(locked) or 0, populate_existing=True)
    found = champion.number if champion is not None else 0
    if found != number:
        raise Stale(
            f"Release {found} was put into service after this page was opened, so nothing was changed; look at it and decide again.",
            champion.id if champion is not None else None,
        )


def _check_whole(release: Release) -> None:
    """Refuse to promote what could not be served: a last look under the lock, at what costs nothing. Every byte is checked before, by
    :mod:`webapp.releases.mending` or the iteration, and by the engine before it swaps."""
    folders = [(release.answerer_path, release.answerer_sha256)]
    if release.index is not None:
        folders.append((release.index.path, release.index.sha256))
    if release.retriever_path is not None:
        folders.append((release.retriever_path, release.retriever_sha256 or ""))
    for path, sha256 in folders:
        place = absolute(path)
        if not Path(place, "manifest.json").is_file() or manifest_sha256(place) != sha256 or not _has_all_files(place):
            raise Damaged(
                f"Release {release.number} is not whole ({path}), so it was not promoted; restore it from a backup."
            )


def _has_all_files(place: Path) -> bool:
    """Every listed file is there in its full size: a look that costs nothing, where hashing would hold up other writers."""
    sizes = {place / name: facts["size"] for name, facts in read_manifest(place)["files"].items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in sizes.items())


def promote(
    session: Session,
    project: Project,
    release: Release,
    *,
    person: Any = None,
    reason: str,
    by: str = ERRATA,
    is_rollback: bool = False,
) -> Release | None:
    """Put ``release`` in service, in this transaction; returns the previous champion. ``by`` is who decided it where no ``person`` did."""
    if release.project_id != project.id:
        raise NotFound(f"{project.name} has no such release.")
    _check_whole(release)
    locked = select(Project.champion_id).where(Project.id == project.id).with_for_update()
    previous_id = session.scalar(locked)
    if previous_id == release.id:
        raise Invalid(f"Release {release.number} is the champion already; nothing was changed.")
    previous = session.get(Release, previous_id, populate_existing=True) if previous_id is not None else None
    session.execute(
        update(Release).where(Release.project_id == project.id, Release.state == "champion").values(state="retired")
    )
    session.execute(update(Release).where(Release.id == release.id).values(state="champion", promoted_at=now()))
    session.execute(update(Project).where(Project.id == project.id).values(champion_id=release.id))
    who = person.id if person is not None else None
    before = previous.number if previous is not None else None
    record(
        session,
        "release.promote",
        project_id=project.id,
        person_id=who,
        release=release.number,
        previous=before,
        reason=reason,
        rollback=is_rollback,
        **({} if person is not None else {"by": by}),
    )
    return previous


def previous_champion(session: Session, project: Project) -> Release | None:
    """The release that was in service before the champion: the newest promoted one among the retired."""
    retired = select(Release).where(
        Release.project_id == project.id, Release.state == "retired", Release.promoted_at.is_not(None)
    )
    return session.scalar(retired.order_by(Release.promoted_at.desc(), Release.number.desc()).limit(1))


def rollback(session: Session, project: Project, *, person: Any = None, reason: str) -> Release | None:
    """Promote the previous champion again; returns the one that was in service. Twice brings back where one was."""
    before = release_before(session, project)
    return promote(session, project, before, person=person, reason=reason, is_rollback=True)


def release_before(session: Session, project: Project) -> Release:
    target = previous_champion(session, project)
    if target is None:
        raise Invalid(f"{project.name} has no earlier release to go back to; nothing was changed.")
    return target
