"""The demo project: made once from the bundled files, found again afterwards."""

from collections.abc import Callable
from pathlib import Path

from training.recipes.levels import EPOCHS
from webapp.corpus.importing import import_file
from webapp.corpus.index import update_index
from webapp.db import write
from webapp.errors import NotFound
from webapp.models import Project
from webapp.projects import settings as project_settings
from webapp.projects.service import create_project, project_by_name
from webapp.releases.service import champion_of

NAME = "Demo"
BASE, EMBEDDER = "starter", "minilm"  # both work without a network
# Any seed works. With this one the first ten questions of a new demo show a newcomer each case: answers to accept, wrong ones that can be
# corrected from a shown passage, and one question that no document answers.
SEED = 140
# Its few labels hardly ever say "not answerable"; the passages shown beside the right one do, of the families that are new to the starter.
PASSED_OVER = 4
FOLDER = Path(__file__).parent
# Gold answers are known: those that fall into validation and test compare each candidate with the model in service.
FILES = (("documents", "corpus.jsonl"), ("questions", "questions.jsonl"), ("gold", "gold.jsonl"))


def _quietly(_fraction: float, _message: str) -> None: ...


def _find_or_create() -> Project:
    try:
        return project_by_name(NAME)
    except NotFound:
        with write() as session:
            project = create_project(session, NAME, base=BASE, embedder=EMBEDDER)
            project_settings.update(session, project, epochs=EPOCHS, passed_over=PASSED_OVER, seed=SEED)
            return project


def prepare_demo(*, say: Callable[[str], None], report: Callable[[float, str], None] = _quietly) -> Project:
    """Create what is missing, so that a demo interrupted half way is finished by the next call."""
    project = _find_or_create()
    if champion_of(project) is None:
        say("Making the demo project: reading the bundled corpus and questions")
        for kind, name in FILES:
            import_file(FOLDER / name, project=project, kind=kind)
        say("Building its index, so that its passages can be found")
        result = update_index(project, report=report)
        say(f"{result.documents} documents, {result.passages} passages, indexed in {result.seconds:.0f} s")
    return project
