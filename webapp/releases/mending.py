"""Whether every byte of a release is what was recorded, and the command that mends a part which is not. Slow for large models."""

from dataclasses import dataclass

from sqlalchemy import func, select

from training.artefact import DamagedArtefact, manifest_sha256, verify
from webapp.errors import Damaged
from webapp.home import absolute
from webapp.models import CorpusIndex, Project, Release, db


@dataclass(frozen=True)
class Damage:
    """``mend`` is the command that takes it away; "" when only a backup or another release can."""

    part: str
    sentence: str
    mend: str


def find_damage(release: Release, index: CorpusIndex | None) -> Damage | None:
    """The first part of the release, served with ``index``, that is not whole."""
    parts = [("answerer", release.answerer_path, release.answerer_sha256)]
    if index is not None:
        parts.append(("index", index.path, index.sha256))
    if release.retriever_path:
        parts.append(("retriever", release.retriever_path, release.retriever_sha256 or ""))
    for part, path, sha256 in parts:
        try:
            verify(absolute(path), kind=part)
            if manifest_sha256(absolute(path)) != sha256:
                raise DamagedArtefact(f"{path} is not the {part} this release was made with.")
        except DamagedArtefact as error:
            return Damage(part, str(error), _mend(release, part, index))
    return None


def _mend(release: Release, part: str, index: CorpusIndex | None) -> str:
    """Indexing makes the newest index again, and the champion's copy of the base model; an older index is not needed for anything."""
    project = db.session.get_one(Project, release.project_id)
    if part == "index" and index is not None:
        newest = select(func.max(CorpusIndex.id)).where(CorpusIndex.project_id == project.id)
        is_newest = db.session.scalar(newest) == index.id
        return f'errata index "{project.name}"' if is_newest else f'errata promote "{project.name}" {release.number}'
    champion = db.session.get(Release, project.champion_id) if project.champion_id is not None else None
    is_champions = champion is not None and champion.answerer_sha256 == release.answerer_sha256
    return f'errata index "{project.name}"' if part == "answerer" and is_champions and is_base_copy(release) else ""


def is_base_copy(release: Release) -> bool:
    """Whether its answerer is the base model's as it came, not one that an iteration trained."""
    same = (Release.project_id == release.project_id, Release.answerer_sha256 == release.answerer_sha256)
    trained = select(Release.id).where(*same, Release.iteration_id.is_not(None)).limit(1)
    return db.session.scalar(trained) is None


def is_base_lost(release: Release) -> bool:
    """Whether it answers with a copy of the base model that is damaged, so that another copy can take its place."""
    found = find_damage(release, None)
    return found is not None and found.part == "answerer" and is_base_copy(release)


def refuse_damaged(release: Release, index: CorpusIndex | None) -> None:
    """Raise :class:`Damaged` with what is wrong and the command that mends it. Outside a write transaction: it reads every byte."""
    found = find_damage(release, index)
    if found is None:
        return
    mend = f"Mend it with `{found.mend}`." if found.mend else "Bring it back from a backup with `errata restore`."
    raise Damaged(f"Release {release.number} is not whole, so nothing was changed: {found.sentence} {mend}")
