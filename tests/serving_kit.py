"""A project that is really served: toy model, hashing embedder, three documents, one release."""

import shutil
from pathlib import Path

import toys

from training.artefact import manifest_sha256, writing
from webapp.corpus.importing import import_file
from webapp.corpus.index import update_index
from webapp.db import write
from webapp.home import absolute, new_artefact_path, relative
from webapp.models import Project, Release
from webapp.projects.service import create_project, project_or_404
from webapp.releases import service
from webapp.releases.service import champion_of

DOCUMENTS = {
    "bella": "Chez Bella opens at nine. The kitchen of Chez Bella closes at ten. Children are welcome.",
    "caro": "Bar Caro serves soup and bread. You can pay by card at Bar Caro. Dogs are not allowed.",
    "dino": "Trattoria Dino has a terrace. The wine of Trattoria Dino comes from Sicily.",
}


def build_served(folder: Path, *, name: str = "Served") -> Project:
    model = folder / f"model-{name}"
    toys.build_span(model)
    with write() as session:
        project = create_project(session, name, base=str(model), embedder="hash")
    for title, text in DOCUMENTS.items():
        (folder / f"{title}.txt").write_text(text, encoding="utf-8")
        import_file(folder / f"{title}.txt", project=project, kind="documents")
    update_index(project, report=lambda *_: None)
    return project_or_404(project.id)


def add_candidate(project: Project, *, number: int = 0) -> Release:
    """A release like the champion with a copy of its answerer (``number`` makes its hash another one)."""
    champion = champion_of(project)
    assert champion is not None
    place = new_artefact_path(project.id, "answerer")
    with writing(place, kind="answerer", about={"copy": number}) as target:
        for path in absolute(champion.answerer_path).iterdir():
            if path.name != "manifest.json":
                shutil.copyfile(path, target / path.name)
    with write() as session:
        return service.create_release(
            session,
            project,
            answerer_path=relative(place),
            answerer_sha256=manifest_sha256(place),
            index=champion.index,
            parent=champion,
            reason="for a test",
        )


def flip_bit(folder: Path, suffix: str) -> Path:
    """Damage the largest file with this ending, keeping its size."""
    path = max(
        (
            path
            for path in folder.rglob("*")
            if path.is_file() and path.name.endswith(suffix) and path.name != "manifest.json"
        ),
        key=lambda path: path.stat().st_size,
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path
