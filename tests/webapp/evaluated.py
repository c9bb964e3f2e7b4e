"""Finished iterations with their figures, made from rows alone."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, update

from webapp.db import write
from webapp.jobs.service import enqueue
from webapp.models import Dataset, DatasetLabel, EvaluationRow, Iteration, Job, LabelEffect, Project, Release, now

GATE = {
    "decision": "ask", "reasons": ["F1 went up."], "metric": "f1", "needed": None, "refused": None, "latency": None,
    "interval": {"difference": 0.1, "low": 0.0, "high": 0.2, "n": 3}, "watched": [],
}  # fmt: skip


def make_iteration(project: Project, number: int, *, decision: str = "ask", sha256: str = "2" * 64) -> tuple[int, int]:
    """A finished iteration with a candidate and a dataset; the ids of the iteration and the dataset."""
    with write() as session:
        job = enqueue(session, "train", project_id=project.id, payload={"iteration": number})
        dataset = Dataset(
            project_id=project.id, path="none", fingerprint=f"{number}" * 64, counts={"train": 1, "rehearsal": 0}
        )
        session.add(dataset)
        session.flush()
        iteration = Iteration(
            project_id=project.id, number=number, job_id=job.id, dataset_id=dataset.id, base="none", path=f"none/{number}",
            config={"task": "qa", "reason": "", "newest_label": 0, "fit": {"epochs": 1, "method": "full"}},
            before={"f1": 0.1}, after={"f1": 0.2}, gate={**GATE, "decision": decision},
        )  # fmt: skip
        session.add(iteration)
        session.flush()
        session.add(
            Release(
                project_id=project.id, number=number + 1, answerer_path="none", answerer_sha256=sha256, embedder="hash",
                sha256="3" * 64, iteration_id=iteration.id, reason=f"Iteration {number}",
            )
        )  # fmt: skip
        session.execute(update(Job).where(Job.id == job.id).values(state="succeeded"))
        return iteration.id, dataset.id


def promote_row(project: Project, number: int) -> None:
    """In service by its row alone: there are no files to check."""
    with write() as session:
        mine = Release.project_id == project.id
        session.execute(update(Release).where(mine, Release.state == "champion").values(state="retired"))
        session.execute(
            update(Release).where(mine, Release.number == number).values(state="champion", promoted_at=now())
        )
        release = session.query(Release).where(mine, Release.number == number).one()
        session.execute(update(Project).where(Project.id == project.id).values(champion_id=release.id))


def add_row(iteration: int, question: int, **values: Any) -> None:
    row = {"gold": ["yes"], "before_text": "no", "after_text": "yes", "before": {"f1": 0.0}, "after": {"f1": 1.0}}
    with write() as session:
        session.execute(insert(EvaluationRow), [{"iteration_id": iteration, "question_id": question, **row, **values}])


def add_effect(
    iteration: int, label: int, scores: tuple[float, float], ranks: Sequence[int | None] = (None, None)
) -> None:
    with write() as session:
        session.add(
            LabelEffect(
                iteration_id=iteration, label_id=label, before_text="an old answer", after_text="a new answer",
                before_f1=scores[0], after_f1=scores[1], before_rank=ranks[0], after_rank=ranks[1],
            )
        )  # fmt: skip


def use_label(dataset: int, label: int, split: str, *kinds: str) -> None:
    with write() as session:
        session.add_all(DatasetLabel(dataset_id=dataset, label_id=label, split=split, kind=kind) for kind in kinds)
