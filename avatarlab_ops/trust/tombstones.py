"""What stays of a withdrawn video: a signed record of what was shown, when it was taken back, and why.

It holds digests and times, and no byte of the video, no name and no word of anybody: why is one of three.
Signed by the key of content credentials, so that whoever has a copy of the file can be shown the proof.
"""

from __future__ import annotations

import json
import logging
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.errors import InputError
from avatarlab_ops.retention import retention_of
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.trust import seal, signing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tombstone:
    """The signed record, with all that it takes to check it.

    `record`: JSON, exactly the bytes that were signed; `signature`: base64; `chain`: PEM, the signer's
    certificate first; `signed_by`: whose certificate that is, None where the signature does not fit.
    """

    record: str
    signature: str
    chain: str
    signed_by: str | None


def sign(settings: Settings, render_id: str) -> bool:
    """Write the tombstone of a withdrawn video; False where there is one, or nobody signs here now.

    A withdrawal waits for no certificate: what cannot be signed now, housekeeping signs later.
    """
    try:
        signer = signing.identity(settings.home)
    except InputError as error:
        log.warning("the tombstone of %s is not signed yet: %s", render_id, error)
        return False
    if signer is None:
        return False
    with transaction(settings.pg_dsn) as db:
        record = json.dumps(_record(db, records.find(db, render_id)), sort_keys=True)
        signature = b64encode(seal.sign(record.encode(), signer)).decode()
        row = insert(m.Tombstone).values(
            render_id=render_id, record=record, signature=signature, chain=signer.chain.decode()
        )
        return db.scalars(row.on_conflict_do_nothing().returning(m.Tombstone.render_id)).first() is not None


def _record(db: Session, render: m.Render) -> dict[str, Any]:
    if render.withdrawn_at is None or render.ended_at is None:
        raise InputError(f"render {render.id} was not withdrawn")
    files = records.published_files(db, render.id).items()
    return {
        "type": "avatarlab.tombstone/1", "render_id": render.id,
        "published_at": render.ended_at.isoformat(), "withdrawn_at": render.withdrawn_at.isoformat(),
        "why": _why(db, render), "files": {name: file.sha256 for name, file in files},
    }  # fmt: skip


def _why(db: Session, render: m.Render) -> str:
    """Why it was withdrawn, as the catalog knows it; the reason that people wrote may name somebody."""
    relied = sa.select(m.Consent.id).join(m.RenderConsent).where(m.RenderConsent.render_id == render.id)
    if db.scalars(relied.where(m.Consent.revoked_at <= render.withdrawn_at).limit(1)).first() is not None:
        return "consent revoked"
    kept = retention_of(records.request_of(db, render).body.get("labels", {}))
    if (
        kept is not None
        and render.ended_at
        and render.withdrawn_at
        and render.ended_at + kept <= render.withdrawn_at
    ):
        return "retention ended"
    return "withdrawn by its owner"


def read(db: Session, render_id: str) -> Tombstone | None:
    """The tombstone of a render, its signature checked; None where there is none."""
    kept = db.get(m.Tombstone, render_id)
    if kept is None:
        return None
    try:
        signed_by, _ = seal.check(kept.record.encode(), b64decode(kept.signature), kept.chain.encode())
    except InputError:
        return Tombstone(kept.record, kept.signature, kept.chain, None)
    return Tombstone(kept.record, kept.signature, kept.chain, signed_by)


def missing(db: Session) -> list[str]:
    """Ids of withdrawn videos without a tombstone."""
    none = sa.select(m.Render.id).outerjoin(m.Tombstone, m.Tombstone.render_id == m.Render.id)
    gone = none.where(m.Render.withdrawn_at.is_not(None), m.Tombstone.render_id.is_(None))
    return list(db.scalars(gone.order_by(m.Render.withdrawn_at)))
