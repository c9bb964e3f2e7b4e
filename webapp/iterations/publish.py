"""What an iteration leaves behind, in one transaction: the candidate release, the figures, and its promotion when the gate says so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from training import artefact
from webapp import home
from webapp.audit import record
from webapp.db import write
from webapp.errors import Invalid
from webapp.iterations import service
from webapp.iterations.compare import Comparison
from webapp.iterations.figures import store_figures
from webapp.jobs.context import JobContext
from webapp.models import CorpusIndex, Iteration, Project, Release
from webapp.releases import by_hand
from webapp.releases import service as release_service
from webapp.releases.reindexing import request_index
from webapp.releases.service import LearnedRetriever
from webapp.releases.serving import is_other_encoder


def publish(
    context: JobContext,
    project: Project,
    iteration: Iteration,
    *,
    answerer_path: Path,
    comparison: Comparison,
    retriever: LearnedRetriever | None = None,
) -> None:
    sha256 = artefact.manifest_sha256(answerer_path)
    with write() as session:
        context.guard(session)
        project = session.get_one(Project, project.id, populate_existing=True)
        iteration = session.get_one(Iteration, iteration.id, populate_existing=True)
        champion = session.get(Release, project.champion_id) if project.champion_id else None
        compared = session.get(Release, iteration.champion_id) if iteration.champion_id else None
        index = _index_for(session, champion, compared, retriever)
        candidate = release_service.create_release(
            session, project, answerer_path=home.relative(answerer_path), answerer_sha256=sha256, index=index,
            iteration=iteration, parent=champion, reason=f"Iteration {iteration.number}", metrics=comparison.after.metrics,
            retriever=retriever,
        )  # fmt: skip
        was_compared = champion is None or (
            compared is not None
            and compared.answerer_sha256 == champion.answerer_sha256
            and compared.retriever_sha256 == champion.retriever_sha256
        )
        # Another model may have gone into service since the comparison: then a person decides.
        gate = comparison.gate if was_compared or champion is None else comparison.gate.unless(champion.number)
        store_figures(session, iteration, replace(comparison, gate=gate))
        if gate.decision == "promote":
            by_hand.promote(session, project, candidate, person=None, reason=gate.reasons[0], by=release_service.GATE)
            if retriever is not None and retriever.index is not None:
                request_index(session, project)  # documents may have come while its encoder read the others


def _index_for(
    session: Session, champion: Release | None, compared: Release | None, retriever: LearnedRetriever | None
) -> CorpusIndex | None:
    """The candidate's: that of its own encoder, else the champion's of now, unless its encoder is not the one compared with."""
    if retriever is not None and retriever.index is not None:
        index = session.merge(retriever.index)
        session.flush()
        return index
    if champion is None:
        return None
    is_other = compared is not None and is_other_encoder(champion.embedder, compared.embedder)
    holder = compared if is_other and compared is not None else champion
    return session.get(CorpusIndex, holder.index_id) if holder.index_id else None


def promote_by_hand(
    project: Project, iteration: Iteration, *, person: Any, reason: str, expected: int | None = None
) -> None:
    """Put the candidate into service whatever the gate said."""
    candidate = service.candidate_of(iteration)
    if candidate is None:
        raise Invalid(f"Iteration {iteration.number} has no candidate to promote; it did not finish.")
    by_hand.promote_today(project, candidate, person=person, reason=reason, expected=expected)


def hold(project: Project, iteration: Iteration, *, person: Any, reason: str, expected: int | None = None) -> None:
    """Keep a person's reason for not promoting; the model in service stays."""
    with write() as session:
        release_service.expect_champion(session, project, expected)
        who, number = person.id, iteration.number
        record(session, "iteration.hold", project_id=project.id, person_id=who, iteration=number, reason=reason)
