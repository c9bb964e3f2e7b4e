"""The demo project: made once from the bundled files, found again afterwards."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select

from webapp.corpus.importing import import_file
from webapp.corpus.index import update_index
from webapp.db import write
from webapp.errors import NotFound
from webapp.models import Project, Question, db
from webapp.projects.service import create_project, project_by_name
from webapp.releases.service import champion_of

NAME = "Demo"
BASE, EMBEDDER = "starter", "minilm"  # both work without a network
FOLDER = Path(__file__).parent


def _quietly(_fraction: float, _message: str) -> None: ...


def _find_or_create() -> Project:
    try:
        return project_by_name(NAME)
    except NotFound:
        with write() as session:
            return create_project(session, NAME, task="qa", base=BASE, embedder=EMBEDDER)


def prepare_demo(*, say: Callable[[str], None]) -> Project:
    """Create what is missing, so that a demo interrupted half way is finished by the next call."""
    project = _find_or_create()
    if db.session.scalar(select(func.count()).select_from(Question).where(Question.project_id == project.id)) == 0:
        say("Making the demo project: reading the bundled corpus and questions")
        import_file(FOLDER / "corpus.jsonl", project=project, kind="documents")
        import_file(FOLDER / "questions.jsonl", project=project, kind="questions")
    if champion_of(project) is None:
        say("Building its index")
        result = update_index(project, report=_quietly)
        say(f"{result.documents} documents, {result.passages} passages, indexed in {result.seconds:.0f} s")
    return project
