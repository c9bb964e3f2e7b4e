"""A project and what its people imported."""

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import db, now


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
