"""Consent for test material: without a record admission refuses every likeness."""

from __future__ import annotations

import hashlib
from pathlib import Path

import sqlalchemy as sa

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables, transaction
from avatarlab_ops.trust.consent import Material, record

TERMS = "test material: used by Avatarlab's own tests, published nowhere"


def consented(settings: Settings, content: bytes | Path, *, kind: str = "likeness") -> str:
    """Record that these bytes may be used as a likeness (or a voice sample); return the record's id.

    The stores must be ready (`pipeline.prepare_stores`). Built-in voices and the demo's picture need no call.
    """
    whole = content.read_bytes() if isinstance(content, Path) else content
    with transaction(settings.pg_dsn) as db:
        sha256 = hashlib.sha256(whole).hexdigest()
        return record(db, Material(kind, sha256, sha256), subject="test material", terms=TERMS)


def relied_on(settings: Settings, render_id: str) -> dict[str, str]:
    """What a render relies on: kind ("likeness", "voice") to the id of its record."""
    mine = tables.RenderConsent.render_id == render_id
    query = sa.select(tables.Consent.kind, tables.Consent.id).join(tables.RenderConsent).where(mine)
    with transaction(settings.pg_dsn) as db:
        return {row.kind: row.id for row in db.execute(query)}
