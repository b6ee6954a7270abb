"""Consent for test material: without a record admission refuses every likeness."""

from __future__ import annotations

import hashlib
from pathlib import Path

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.trust.consent import Material, record

TERMS = "test material: used by Avatarlab's own tests, published nowhere"


def consented(settings: Settings, content: bytes | Path, *, kind: str = "likeness") -> str:
    """Record that these bytes may be used as a likeness (or a voice sample); return the record's id.

    The stores must be prepared (`pipeline.prepare`). Built-in voices and the demo's picture need no call.
    """
    whole = content.read_bytes() if isinstance(content, Path) else content
    with transaction(settings.pg_dsn) as db:
        sha256 = hashlib.sha256(whole).hexdigest()
        return record(db, Material(kind, sha256, sha256), subject="test material", terms=TERMS)
