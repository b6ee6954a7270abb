"""What people brought and agreed to: inputs, consents, links for who is shown, tombstones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from avatarlab_ops.stores.catalog.tables.base import (
    CONSENT_KINDS,
    SHARED_KINDS,
    Base,
    one_of,
)


class Consent(Base):
    """Leave to use one likeness or one voice, and what proves it: a document, or the terms of a licence."""

    __tablename__ = "consent"
    __table_args__ = (
        one_of("kind", CONSENT_KINDS),
        CheckConstraint("document_sha256 IS NOT NULL OR terms IS NOT NULL", name="evidence_given"),
        Index("ix_consent_material", "kind", "material"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    kind: Mapped[str]
    material: Mapped[str]  # sha256 of the likeness or voice sample, or engine/name of a built-in voice
    scope: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))  # trust.consent.Scope
    document_uri: Mapped[str | None]
    document_sha256: Mapped[str | None]
    terms: Mapped[str | None]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
    recorded_by: Mapped[str | None]  # caller of the API; None: an operator, by the command line
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class InputObject(Base):
    """One version of an object of the inputs bucket, hashed and probed once."""

    __tablename__ = "input_object"
    uri: Mapped[str] = mapped_column(primary_key=True)
    etag: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int]
    media: Mapped[dict[str, Any]]  # plan.Source
    looks: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))  # part to plan.Look
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class InputOwner(Base):
    """Who brought an input object; one uploaded without a login has no owner and is everybody's."""

    __tablename__ = "input_owner"
    uri: Mapped[str] = mapped_column(primary_key=True)
    caller: Mapped[str] = mapped_column(primary_key=True)  # the same bytes may be brought by several
    shared: Mapped[bool]  # everybody with a login may use it


class Share(Base):
    """A link for somebody without a login: to one video, or to all that was made on one consent."""

    __tablename__ = "share"
    __table_args__ = (one_of("kind", SHARED_KINDS), Index("ix_share_target", "kind", "target"))
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    target: Mapped[str]  # id of a render or of a consent
    expires_at: Mapped[datetime]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]


class Tombstone(Base):
    """What stays of a withdrawn video: a record, exactly as it was signed."""

    __tablename__ = "tombstone"
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True)
    record: Mapped[str]  # JSON
    signature: Mapped[str]  # base64
    chain: Mapped[str]  # PEM, the signer's certificate first
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
