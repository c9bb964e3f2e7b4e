"""Every table. A label is what a person decided, an answer what a model said; see docs/architecture.md for the words."""

import datetime as dt
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import JSON, CheckConstraint, DateTime, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry, relationship
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[dt.datetime]):
    """Aware UTC in, aware UTC out, on SQLite (which stores no zone) as on PostgreSQL."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        return (
            None
            if value is None
            else value.replace(tzinfo=dt.UTC)
            if value.tzinfo is None
            else value.astimezone(dt.UTC)
        )


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Base(DeclarativeBase):
    # On the registry, not the class: Flask-SQLAlchemy subclasses this base again, which SQLAlchemy 2.1 refuses otherwise.
    registry = registry(
        type_annotation_map={
            dt.datetime: UtcDateTime,
            dict[str, Any]: JSON(none_as_null=True),
            list[Any]: JSON,
            str: Text,
        }
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False, "autoflush": False})

VERDICTS = ("accept", "correct", "reject", "skip", "undo")
REJECT_REASONS = ("wrong_answer", "wrong_passage", "unanswerable")
ROLES = ("annotator", "engineer", "admin")
JOB_STATES = ("queued", "leased", "running", "succeeded", "failed", "cancelled")
ACTIVE_JOB_STATES = JOB_STATES[:3]
RELEASE_STATES = ("candidate", "champion", "retired")


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=f"{column}_known")


class Person(db.Model):
    __tablename__ = "person"
    __table_args__ = (one_of("role", ROLES),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    role: Mapped[str] = mapped_column(String(16), default="annotator")
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[dt.datetime] = mapped_column(default=now)


class SignInLink(db.Model):
    """A one-time way in; only the sha256 of its token is kept."""

    __tablename__ = "sign_in_link"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]


class SignIn(db.Model):
    """A signed-in browser; only the sha256 of its cookie is kept, so a copied database signs nobody in."""

    __tablename__ = "sign_in"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    last_seen_at: Mapped[dt.datetime] = mapped_column(default=now)
    expires_at: Mapped[dt.datetime]
    person: Mapped[Person] = relationship(lazy="joined")


class Project(db.Model):
    """One task, one corpus, one queue, one line of releases. ``settings`` is read through ``webapp.project_settings``."""

    __tablename__ = "project"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    task: Mapped[str] = mapped_column(String(40))
    base: Mapped[str] = mapped_column(String(400))
    embedder: Mapped[str] = mapped_column(String(400), default="minilm")
    champion_id: Mapped[int | None] = mapped_column(
        ForeignKey("release.id", use_alter=True, name="project_champion_fk")
    )
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    deleted_at: Mapped[dt.datetime | None]


class Document(db.Model):
    __tablename__ = "document"
    __table_args__ = (
        Index(
            "document_content_once",
            "project_id",
            "sha256",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    external_id: Mapped[str] = mapped_column(String(400), default="")
    title: Mapped[str] = mapped_column(default="")
    text: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    deleted_at: Mapped[dt.datetime | None]


class Passage(db.Model):
    """``text == document.text[start:end]``. Kept when its document is deleted, so that old answers can still be read."""

    __tablename__ = "passage"
    __table_args__ = (UniqueConstraint("document_id", "position"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"))
    position: Mapped[int]
    start: Mapped[int]
    end: Mapped[int]
    text: Mapped[str]
    document: Mapped[Document] = relationship()


class Question(db.Model):
    """One item of the queue. The lease columns say who holds it until when; ``open`` until enough people have labelled it.

    ``label_count`` counts current labels other than skips; ``gold`` holds {"answers": [...], "is_impossible", "context"} if known.
    """

    __tablename__ = "question"
    __table_args__ = (
        UniqueConstraint("project_id", "sha256"),
        one_of("state", ("open", "done")),
        Index("question_queue", "project_id", "state", "priority", "id"),
        Index(
            "question_lease",
            "lease_person_id",
            sqlite_where=text("lease_person_id IS NOT NULL"),
            postgresql_where=text("lease_person_id IS NOT NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    external_id: Mapped[str] = mapped_column(String(400), default="")
    text: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(16), default="import")  # import, typed, gold
    gold: Mapped[dict[str, Any] | None]
    priority: Mapped[float] = mapped_column(default=0.0)  # lower is served first
    state: Mapped[str] = mapped_column(String(8), default="open")
    round: Mapped[int] = mapped_column(default=1)
    label_count: Mapped[int] = mapped_column(default=0)
    answer_id: Mapped[int | None] = mapped_column(
        ForeignKey("answer.id", use_alter=True, name="question_answer_fk")
    )  # the newest
    lease_person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_expires_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now)


class Answer(db.Model):
    """What a release said, and the path it took there: passages, prompt version, release, log-probability, time."""

    __tablename__ = "answer"
    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id"), index=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), index=True)
    text: Mapped[str]  # "" when not answerable
    answerable: Mapped[bool]
    score: Mapped[float]
    answerable_score: Mapped[float]
    log_probability: Mapped[float]
    best_text: Mapped[str]
    passage_id: Mapped[int | None] = mapped_column(ForeignKey("passage.id"))
    start: Mapped[int | None]
    end: Mapped[int | None]
    prompt_version: Mapped[str] = mapped_column(String(40))
    retrieval_s: Mapped[float]
    answer_s: Mapped[float]
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    passages: Mapped[list["AnswerPassage"]] = relationship(order_by="AnswerPassage.rank")
    release: Mapped["Release"] = relationship()


class AnswerPassage(db.Model):
    __tablename__ = "answer_passage"
    answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    passage_id: Mapped[int] = mapped_column(ForeignKey("passage.id"), index=True)
    score: Mapped[float]
    dense_score: Mapped[float | None]
    bm25_score: Mapped[float | None]
    terms: Mapped[list[Any]] = mapped_column(default=list)
    passage: Mapped[Passage] = relationship()


class Label(db.Model):
    """Append-only. A chain per (question, person, round): ``version`` 1, 2, ...; each row supersedes the one before.

    The current label of a chain is the row nobody supersedes; an undo is a row too. Two first submissions, or two edits of
    one version, collide on the unique constraints, never overwrite.
    """

    __tablename__ = "label"
    __table_args__ = (
        UniqueConstraint("question_id", "person_id", "round", "version"),
        one_of("verdict", VERDICTS),
        CheckConstraint("(verdict = 'reject') = (reject_reason IS NOT NULL)", name="reject_has_reason"),
        Index("label_project_id", "project_id", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    question_id: Mapped[int] = mapped_column(ForeignKey("question.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    answer_id: Mapped[int | None] = mapped_column(ForeignKey("answer.id"))  # the answer that was shown
    round: Mapped[int] = mapped_column(default=1)
    version: Mapped[int] = mapped_column(default=1)
    submission_id: Mapped[str] = mapped_column(String(64), unique=True)
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("label.id"), unique=True)
    verdict: Mapped[str] = mapped_column(String(8))
    reject_reason: Mapped[str | None] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(default="")  # the right answer: accepted or corrected; "" otherwise
    passage_id: Mapped[int | None] = mapped_column(ForeignKey("passage.id"))  # the right passage, if one was chosen
    start: Mapped[int | None]  # evidence span in that passage
    end: Mapped[int | None]
    reason: Mapped[str] = mapped_column(default="")
    edit_distance: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)  # from shown to submitted
    is_late: Mapped[bool] = mapped_column(default=False)  # came after the lease had passed to somebody else
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    question: Mapped[Question] = relationship()
    person: Mapped[Person] = relationship()
    answer: Mapped[Answer | None] = relationship()
    passage: Mapped[Passage | None] = relationship()


class CorpusIndex(db.Model):
    """An index artefact: which passages, which embedder. ``path`` is relative to the home folder."""

    __tablename__ = "corpus_index"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    path: Mapped[str] = mapped_column(String(400))
    sha256: Mapped[str] = mapped_column(String(64))  # of its manifest
    embedder: Mapped[str] = mapped_column(String(400))  # the embedder's identity
    documents: Mapped[int]
    passages: Mapped[int]
    created_at: Mapped[dt.datetime] = mapped_column(default=now)


class Dataset(db.Model):
    __tablename__ = "dataset"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    path: Mapped[str] = mapped_column(String(400))
    fingerprint: Mapped[str] = mapped_column(String(64))
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[dt.datetime] = mapped_column(default=now)


class DatasetLabel(db.Model):
    """Which label entered which dataset, in which split, as what kind of example."""

    __tablename__ = "dataset_label"
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), primary_key=True, index=True)
    split: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(12))


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
    gate: Mapped[dict[str, Any] | None]  # {"decision": "promote"|"hold", "reasons": [...], "interval": ...}
    started_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    job: Mapped["Job"] = relationship()
    dataset: Mapped[Dataset | None] = relationship()


class EvaluationRow(db.Model):
    """One test question, before and after an iteration."""

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
    question: Mapped[Question] = relationship()


class Release(db.Model):
    """Answerer + retriever + index as one unit; ``sha256`` covers both artefacts and the embedder."""

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


class Job(db.Model):
    """Long work in the background. ``lock`` is a name only one active job may hold, such as ``train:3``."""

    __tablename__ = "job"
    __table_args__ = (
        one_of("state", JOB_STATES),
        Index(
            "job_lock_once",
            "lock",
            unique=True,
            sqlite_where=text("state IN ('queued', 'leased', 'running')"),
            postgresql_where=text("state IN ('queued', 'leased', 'running')"),
        ),
        Index("job_claim", "state", "priority", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    lock: Mapped[str | None] = mapped_column(String(80))
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(12), default="queued")
    priority: Mapped[int] = mapped_column(default=10)  # lower runs first
    attempt: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[str | None] = mapped_column(String(32))
    heartbeat_at: Mapped[dt.datetime | None]
    fraction: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str] = mapped_column(default="")
    error: Mapped[str] = mapped_column(default="")
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    result: Mapped[dict[str, Any] | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]


class Process(db.Model):
    """A running web, engine or worker, and when it was last heard of."""

    __tablename__ = "process"
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    pid: Mapped[int]
    url: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(default="")
    heartbeat_at: Mapped[dt.datetime] = mapped_column(default=now)


class AuditEvent(db.Model):
    """Append-only: who did what to what, when."""

    __tablename__ = "audit_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"), index=True)
    action: Mapped[str] = mapped_column(String(60))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
