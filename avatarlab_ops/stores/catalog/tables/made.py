"""What was made, by which engine and weights, and how it is recognised."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    Integer,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from avatarlab_ops.stores.catalog.tables.base import (
    Base,
)


class EngineVersion(Base):
    """One engine with one set of weights; `id` is the digest of both."""

    __tablename__ = "engine_version"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    version: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EngineWeight(Base):
    """A weights file of an engine version."""

    __tablename__ = "engine_weight"
    engine_version_id: Mapped[str] = mapped_column(ForeignKey("engine_version.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)


class Artifact(Base):
    """An immutable result of one stage, known by what made it."""

    __tablename__ = "artifact"
    __table_args__ = (
        Index("ix_artifact_kept", "engine_version_id", "stage", postgresql_include=["bytes", "evicted_at"]),
        Index("ix_artifact_stage", "stage", "stage_version"),
    )
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    stage: Mapped[str]
    stage_version: Mapped[str]
    engine_version_id: Mapped[str | None] = mapped_column(ForeignKey("engine_version.id"))
    params: Mapped[dict[str, Any]]
    key: Mapped[str]  # of artifact.json in the artifacts bucket
    sha256: Mapped[str] = mapped_column(index=True)  # over its files
    bytes: Mapped[int]
    files: Mapped[dict[str, Any]]  # name -> {key, sha256, bytes}
    facts: Mapped[dict[str, Any]]
    code_version: Mapped[str]
    compute_s: Mapped[float]
    made_by: Mapped[str | None] = mapped_column(ForeignKey("render.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)  # made, or found again
    evicted_at: Mapped[datetime | None]  # its objects were removed; the record stays


class ArtifactInput(Base):
    """An edge: the artifact was made from this artifact or this input object."""

    __tablename__ = "artifact_input"
    artifact: Mapped[str] = mapped_column(ForeignKey("artifact.fingerprint"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    source: Mapped[str | None] = mapped_column(ForeignKey("artifact.fingerprint"), index=True)


class SoundPrint(Base):
    """What a published video says, as words of 32 bits (media.soundprint); the artifact is its speech."""

    __tablename__ = "sound_print"
    __table_args__ = (Index("ix_sound_print_words", "words", postgresql_using="gin"),)
    artifact: Mapped[str] = mapped_column(ForeignKey("artifact.fingerprint"), primary_key=True)
    words: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class PicturePrint(Base):
    """How a published video moves and looks (media.pictureprint); the artifact is its composite."""

    __tablename__ = "picture_print"
    __table_args__ = (Index("ix_picture_print_words", "words", postgresql_using="gin"),)
    artifact: Mapped[str] = mapped_column(ForeignKey("artifact.fingerprint"), primary_key=True)
    words: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    curves: Mapped[bytes]
    look: Mapped[bytes]  # grey, 24 x 24
