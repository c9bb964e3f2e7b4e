"""The release promise: promoted and rolled back in one transaction, refused when damaged, named by every answer."""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from serving_kit import add_candidate, build_served, flip_bit
from sqlalchemy import func, select

from webapp.db import write
from webapp.engine.champions import Champions
from webapp.errors import Damaged, Invalid, Unavailable
from webapp.home import absolute
from webapp.models import AuditEvent, Project, Release, db
from webapp.releases import service
from webapp.releases.serving import describe, load_release

QUESTION = "When does Chez Bella open?"


@pytest.fixture
def served(app: Flask, tmp_path: Path) -> Project:
    return build_served(tmp_path)


@pytest.fixture
def champions(app: Flask) -> Iterator[Champions]:
    found = Champions(app, capacity=2)
    yield found
    found.stop.set()


def promote(project: Project, release: Release) -> Release | None:
    with write() as session:
        return service.promote(session, project, release, reason="test")


def states(project: Project) -> dict[int, str]:
    return {release.number: release.state for release in service.list_releases(project)}


def champion_number(project: Project) -> int | None:
    champion = service.champion_of(project)
    return champion.number if champion else None


def ask_until(champions: Champions, project: Project, release: Release, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while champions.ask(project.id, QUESTION, k=2).release_id != release.id:
        assert time.monotonic() < deadline, "The promoted release was not swapped in."
        time.sleep(0.05)


def test_there_is_one_champion_before_and_after_a_promotion(served: Project) -> None:
    candidate = add_candidate(served)
    previous = promote(served, candidate)
    assert previous is not None
    assert (previous.number, champion_number(served)) == (1, 2)
    assert states(served) == {1: "retired", 2: "champion"}
    event = db.session.scalars(
        select(AuditEvent).where(AuditEvent.action == "release.promote").order_by(AuditEvent.id.desc())
    ).first()
    assert event is not None
    assert event.detail == {
        "release": 2, "previous": 1, "reason": "test", "rollback": False, "by": "Errata",
    }  # fmt: skip


def test_a_promotion_that_does_not_commit_changes_nothing(served: Project) -> None:
    candidate = add_candidate(served)
    audits = db.session.scalar(select(func.count()).select_from(AuditEvent))
    with pytest.raises(ZeroDivisionError), write() as session:  # noqa: PT012
        service.promote(session, served, candidate, reason="test")
        raise ZeroDivisionError
    assert champion_number(served) == 1
    assert states(served) == {1: "champion", 2: "candidate"}
    assert db.session.scalar(select(func.count()).select_from(AuditEvent)) == audits


def test_rollback_goes_back_and_forth(served: Project) -> None:
    promote(served, add_candidate(served))
    for expected in (1, 2, 1):
        with write() as session:
            service.rollback(session, served, reason="test")
        assert champion_number(served) == expected
        assert list(states(served).values()).count("champion") == 1


def test_there_must_be_something_to_roll_back_to(served: Project) -> None:
    with pytest.raises(Invalid, match="no earlier release"), write() as session:
        service.rollback(session, served, reason="test")


def test_promoting_the_champion_again_is_refused(served: Project) -> None:
    champion = service.champion_of(served)
    assert champion is not None
    with pytest.raises(Invalid, match="champion already"):
        promote(served, champion)


def test_a_release_whose_files_are_gone_is_not_promoted(served: Project) -> None:
    candidate = add_candidate(served)
    shutil.rmtree(absolute(candidate.answerer_path))
    with pytest.raises(Damaged, match="not promoted"):
        promote(served, candidate)
    assert champion_number(served) == 1


def test_twenty_promotions_at_once_leave_one_champion(app: Flask, served: Project) -> None:
    # Numbers, not rows: a row belongs to this thread's session, which no other thread may use.
    project, candidates = served.id, [add_candidate(served, number=number).id for number in range(4)]
    done: list[int] = []

    def promote_one(release: int) -> None:
        with app.app_context():
            for _ in range(5):
                with contextlib.suppress(Invalid):  # it was the champion already
                    promote(db.session.get_one(Project, project), db.session.get_one(Release, release))
            done.append(release)

    threads = [threading.Thread(target=promote_one, args=(release,)) for release in candidates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    assert sorted(done) == sorted(candidates)
    assert list(states(served).values()).count("champion") == 1
    assert states(served)[champion_number(served) or 0] == "champion"


def test_an_answer_names_the_release_that_made_it(served: Project, champions: Champions) -> None:
    answer = champions.ask(served.id, QUESTION, k=2)
    assert answer.release_id == served.champion_id
    assert len(answer.answered.hits) == 2
    assert "Bella" in _passage(answer.answered.hits[0].passage)


def _passage(passage_id: int) -> str:
    from webapp.releases.serving import passage_texts

    return passage_texts([passage_id])[passage_id]


def test_a_promoted_release_is_swapped_in_while_the_old_one_answers(served: Project, champions: Champions) -> None:
    champions.ask(served.id, QUESTION, k=2)
    candidate = add_candidate(served)
    promote(served, candidate)
    ask_until(champions, served, candidate)
    assert champions.trouble() == ""


@pytest.mark.parametrize("part", ["answerer", "index"])
def test_a_damaged_release_is_refused_while_the_old_one_serves(
    served: Project, champions: Champions, part: str
) -> None:
    first = champions.ask(served.id, QUESTION, k=2).release_id
    candidate = add_candidate(served)
    if part == "index":
        _give_own_index(candidate)
    promote(served, candidate)
    folder = absolute(candidate.answerer_path if part == "answerer" else candidate.index.path)  # type: ignore[union-attr]
    flip_bit(folder, ".safetensors" if part == "answerer" else "")
    deadline = time.monotonic() + 60
    while not champions.trouble():
        assert champions.ask(served.id, QUESTION, k=2).release_id == first
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "sha256" in champions.trouble()
    assert "Release 1 keeps serving" in champions.trouble()
    assert champions.ask(served.id, QUESTION, k=2).release_id == first


def _give_own_index(release: Release) -> None:
    from sqlalchemy import update

    from webapp.home import new_artefact_path, relative
    from webapp.models import CorpusIndex

    index = release.index
    assert index is not None
    place = new_artefact_path(release.project_id, "index")
    shutil.copytree(absolute(index.path), place)
    with write() as session:
        own = CorpusIndex(
            project_id=index.project_id,
            path=relative(place),
            sha256=index.sha256,
            embedder=index.embedder,
            documents=index.documents,
            passages=index.passages,
        )
        session.add(own)
        session.flush()
        session.execute(update(Release).where(Release.id == release.id).values(index_id=own.id))
    db.session.refresh(release)


def test_a_damaged_release_with_no_other_is_said_not_served(served: Project, champions: Champions) -> None:
    champion = service.champion_of(served)
    assert champion is not None
    flip_bit(absolute(champion.answerer_path), ".safetensors")
    for _ in range(2):
        with pytest.raises(Unavailable, match="damaged"):
            champions.ask(served.id, QUESTION, k=2)


def test_a_truncated_file_and_an_additional_one_are_refused(served: Project) -> None:
    champion = service.champion_of(served)
    assert champion is not None
    folder = absolute(champion.answerer_path)
    (folder / "extra.json").write_text("{}")
    with pytest.raises(Damaged, match="not listed"):
        load_release(describe(champion))
    (folder / "extra.json").unlink()
    weights = next(folder.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(Damaged, match="damaged"):
        load_release(describe(champion))


def test_an_index_of_another_embedder_is_refused_with_the_command_that_mends_it(served: Project) -> None:
    from sqlalchemy import update

    with write() as session:
        session.execute(update(Release).values(embedder="minilm@other"))
    champion = service.champion_of(served)
    assert champion is not None
    with pytest.raises(Damaged, match='errata index "Served"'):
        load_release(describe(champion))


def test_a_release_of_another_project_is_not_promoted(served: Project, project: Project) -> None:
    candidate = add_candidate(served)
    with pytest.raises(Exception, match="no such release"):
        promote(project, candidate)


def test_passages_of_a_deleted_document_are_not_shown(served: Project) -> None:
    from sqlalchemy import update

    from webapp.models import Document, now

    champion = service.champion_of(served)
    assert champion is not None
    loaded = load_release(describe(champion))
    with write() as session:
        session.execute(update(Document).where(Document.text.contains("Bella")).values(deleted_at=now()))
    [answered] = loaded.answer([QUESTION], k=3)
    assert answered.hits
    assert not any("Bella" in _passage(hit.passage) for hit in answered.hits)
