"""The likenesses that may be used now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.trust import consent, inputs


@dataclass(frozen=True)
class Avatar:
    """A likeness with a valid consent. `prepared`: results that depend on it alone are in the store."""

    uri: str
    sha256: str
    kind: Literal["image", "video"]
    width: int  # pixels
    height: int
    duration_s: float | None
    subject: str
    consent_id: str
    prepared: bool


def one(settings: Settings, caller: str, sha256: str) -> Avatar | None:
    """The likeness of these bytes, if the caller may use it now."""
    return next(iter(_usable(settings, caller, m.Consent.material == sha256)), None)


def usable(settings: Settings, caller: str) -> list[Avatar]:
    """Every likeness that the caller may use, with a consent that holds now, newest first; each once."""
    return _usable(settings, caller)


def _usable(settings: Settings, caller: str, *which: sa.ColumnElement[bool]) -> list[Avatar]:
    made = sa.and_(
        m.ArtifactInput.artifact == m.Artifact.fingerprint, m.ArtifactInput.sha256 == m.InputObject.sha256
    )
    prepared = sa.exists().where(made, m.Artifact.evicted_at.is_(None))
    query = (
        sa.select(m.Consent, m.InputObject, prepared.label("prepared"))
        .join(m.InputObject, m.InputObject.sha256 == m.Consent.material)
        .where(m.Consent.kind == "likeness", *which)
        .order_by(m.Consent.created_at.desc(), m.InputObject.created_at.desc())
    )
    found: dict[str, Avatar] = {}
    with transaction(settings.pg_dsn) as db:
        rows = db.execute(query).all()
        # Asked of every copy: others' private one must not stand for a likeness that the caller may use.
        others = inputs.closed(db, {source.uri for _, source, _ in rows}, caller)
        for record, source, was_prepared in rows:
            if source.sha256 in found or source.uri in others or consent.state_of(record) != "valid":
                continue
            media: dict[str, Any] = {
                name: source.media.get(name) for name in ("kind", "width", "height", "duration_s")
            }
            found[source.sha256] = Avatar(
                source.uri, source.sha256, **media,
                subject=record.subject, consent_id=record.id, prepared=was_prepared,
            )  # fmt: skip
    return [one for one in found.values() if one.kind in ("image", "video")]
