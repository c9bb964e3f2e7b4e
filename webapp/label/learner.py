"""What the model that learns from a correction can do with words that stand in no passage."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from training.answerers import settings_in
from training.tasks import get_task
from training.types import TrainingError
from webapp.home import absolute
from webapp.models import Project, Release

_release = Release.__table__.c
_FOLDER = select(_release.answerer_path).where(_release.id == bindparam("release"))


@dataclass(frozen=True)
class Learner:
    """``points``: it marks a stretch of a passage and can say nothing else. ``is_held``: it writes, but only what stands in a passage or is one
    of the ``fixed`` answers."""

    points: bool
    is_held: bool
    fixed: tuple[str, ...]


def learner_of(session: Session, project: Project) -> Learner | None:
    """Of the model in service, whose kind the next one will be too; None where there is none or its folder does not tell."""
    if project.champion_id is None:
        return None
    path = session.connection().scalar(_FOLDER, {"release": project.champion_id})
    return _read(absolute(path), project.task) if path else None


@lru_cache(maxsize=64)
def _read(folder: Path, task: str) -> Learner | None:
    """A release's folder never changes, so each is read once."""
    try:
        settings = settings_in(folder, get_task(task))
    except TrainingError:
        return None
    points, fixed = settings.architecture == "span", settings.fixed_answers
    return Learner(points, not points and fixed is not None, () if points else fixed or ())
