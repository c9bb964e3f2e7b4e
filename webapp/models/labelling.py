"""Questions, what models said, what people decided."""

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import db, now, one_of
from webapp.models.corpus import Passage
from webapp.models.people import Person

if TYPE_CHECKING:
    from webapp.models.learning import Release

VERDICTS = ("accept", "correct", "reject", "skip", "undo")
REJECT_REASONS = ("wrong_answer", "wrong_passage", "unanswerable")


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
    lift: Mapped[float] = mapped_column(default=0.0)  # what a label on a like question added, -1 to 1
    lift_label_id: Mapped[int | None]  # that label
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
    is_blind: Mapped[bool] = mapped_column(default=False)  # decided before the model's answer was shown
    weight: Mapped[float] = mapped_column(default=1.0)  # how much it counts in training
    is_late: Mapped[bool] = mapped_column(default=False)  # came after the lease had passed to somebody else
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    question: Mapped[Question] = relationship()
    person: Mapped[Person] = relationship()
    answer: Mapped[Answer | None] = relationship()
    passage: Mapped[Passage | None] = relationship()


_newer = Label.__table__.alias().c
SUPERSEDED = select(_newer.id).where(_newer.supersedes_id == Label.__table__.c.id).exists()
"""Another label stands in its place. Of tables instead of classes: it is asked for every label, and building it anew costs more than
running it."""
