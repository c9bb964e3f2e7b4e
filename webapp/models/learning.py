"""Datasets, iterations, their evaluations and the releases they make."""

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import db, now, one_of
from webapp.models.corpus import CorpusIndex
from webapp.models.jobs import Job
from webapp.models.labelling import Label, Question

RELEASE_STATES = ("candidate", "champion", "retired")


class Dataset(db.Model):
    __tablename__ = "dataset"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    path: Mapped[str] = mapped_column(String(400))
    fingerprint: Mapped[str] = mapped_column(String(64))
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[dt.datetime] = mapped_column(default=now)


class DatasetLabel(db.Model):
    """Which label entered which dataset, in which split, as what kinds of row: one line for each kind it yielded."""

    __tablename__ = "dataset_label"
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), primary_key=True, index=True)
    split: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)


class Iteration(db.Model):
    """One training run on one dataset. Its state is its job's; curves lie in ``<path>/log.jsonl``."""

    __tablename__ = "iteration"
    __table_args__ = (UniqueConstraint("project_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    number: Mapped[int]
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), unique=True)
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"))
    base: Mapped[str] = mapped_column(String(400))
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seed: Mapped[int] = mapped_column(default=0)
    path: Mapped[str] = mapped_column(String(400))
    champion_id: Mapped[int | None] = mapped_column(ForeignKey("release.id"))  # the release it was compared with
    before: Mapped[dict[str, Any] | None]  # the champion's metrics on the test split
    after: Mapped[dict[str, Any] | None]  # the candidate's
    gate: Mapped[dict[str, Any] | None]  # {"decision": "promote"|"hold"|"ask", "reasons": [...], ...}
    started_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    job: Mapped["Job"] = relationship()
    dataset: Mapped[Dataset | None] = relationship()

    @property
    def is_practice(self) -> bool:
        """It practised on the corpus alone: its dataset measured it, and taught it nothing."""
        return bool(self.config.get("lessons", {}).get("only_warm_up"))


class EvaluationRow(db.Model):
    """One test question, before and after an iteration.

    ``split`` is ``fixed``, ``rolling`` or ``earlier`` (see webapp/iterations/asked.py). ``*_rank`` is the rank, from 1, of the first
    relevant passage retrieved, None when none was; ``*_blame`` says what a wrong answer is put down to, "" when it is right.
    """

    __tablename__ = "evaluation_row"
    __table_args__ = (UniqueConstraint("iteration_id", "question_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"), index=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id"), index=True)
    gold: Mapped[list[Any]] = mapped_column(default=list)  # acceptable answers; [] when not answerable
    before_text: Mapped[str]
    after_text: Mapped[str]
    before: Mapped[dict[str, Any]]  # per-question metrics
    after: Mapped[dict[str, Any]]
    split: Mapped[str] = mapped_column(String(8), default="fixed")
    before_rank: Mapped[int | None]
    after_rank: Mapped[int | None]
    before_blame: Mapped[str] = mapped_column(String(24), default="")
    after_blame: Mapped[str] = mapped_column(String(24), default="")
    question: Mapped[Question] = relationship()


class LabelEffect(db.Model):
    """What became of a labelled question in an iteration that used its label: the answer before and after, and the right passage's rank."""

    __tablename__ = "label_effect"
    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), primary_key=True, index=True)
    before_text: Mapped[str]
    after_text: Mapped[str]
    before_f1: Mapped[float]
    after_f1: Mapped[float]
    before_rank: Mapped[int | None]
    after_rank: Mapped[int | None]
    iteration: Mapped[Iteration] = relationship()
    label: Mapped[Label] = relationship()


class Release(db.Model):
    """Answerer + retriever + index as one unit; ``sha256`` covers its artefacts and the embedder."""

    __tablename__ = "release"
    __table_args__ = (UniqueConstraint("project_id", "number"), one_of("state", RELEASE_STATES))
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(12), default="candidate")
    answerer_path: Mapped[str] = mapped_column(String(400))  # relative to the home folder
    answerer_sha256: Mapped[str] = mapped_column(String(64))
    index_id: Mapped[int | None] = mapped_column(ForeignKey("corpus_index.id"))  # None: the task uses no passages
    embedder: Mapped[str] = mapped_column(String(400))
    retriever_path: Mapped[str | None] = mapped_column(String(400))  # what the retriever learned; None: nothing yet
    retriever_sha256: Mapped[str | None] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    iteration_id: Mapped[int | None] = mapped_column(
        ForeignKey("iteration.id", use_alter=True, name="release_iteration_fk")
    )
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("release.id"))
    reason: Mapped[str] = mapped_column(default="")
    metrics: Mapped[dict[str, Any] | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    promoted_at: Mapped[dt.datetime | None]
    index: Mapped[CorpusIndex | None] = relationship()
