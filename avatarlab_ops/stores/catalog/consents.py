"""Records of consent, and which renders rely on them. All of it inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.states import RenderState
from avatarlab_ops.stores.catalog import tables as m


def add(db: Session, consent_id: str, **values: Any) -> None:
    """Write a record; one of this id that exists stays as it is."""
    db.execute(insert(m.Consent).values(id=consent_id, **values).on_conflict_do_nothing())


def find(db: Session, consent_id: str) -> m.Consent:
    """The record. Raises ReferenceRefused when there is none."""
    found = db.get(m.Consent, consent_id)
    if found is None:
        raise ReferenceRefused(f"there is no consent {consent_id!r}; `avatarlab consent list` shows them")
    return found


def listed(db: Session) -> list[m.Consent]:
    """Every record, newest first."""
    return list(db.scalars(sa.select(m.Consent).order_by(m.Consent.created_at.desc(), m.Consent.id)))


def unnamed(db: Session, uris: Iterable[str]) -> set[str]:
    """Objects among `uris` that are no consent's document."""
    asked = set(uris)
    named = sa.select(m.Consent.document_uri).where(m.Consent.document_uri.in_(asked))
    return asked - set(db.scalars(named))


def of_material(db: Session, kind: str, material: str) -> list[m.Consent]:
    """Every record for a likeness or voice, newest first, held still until the transaction ends.

    A revocation waits for that end, or has happened: nothing is published on a consent being revoked.
    """
    mine = sa.and_(m.Consent.kind == kind, m.Consent.material == material)
    query = sa.select(m.Consent).where(mine).order_by(m.Consent.created_at.desc(), m.Consent.id)
    return list(db.scalars(query.with_for_update(read=True), execution_options={"populate_existing": True}))


def rely(db: Session, render_id: str, consent_ids: Iterable[str]) -> None:
    """Note what a render relies on, in place of what it relied on before."""
    db.execute(sa.delete(m.RenderConsent).where(m.RenderConsent.render_id == render_id))
    for consent_id in sorted(set(consent_ids)):
        db.add(m.RenderConsent(render_id=render_id, consent_id=consent_id))


def renders_on(db: Session, consent_id: str) -> Iterator[tuple[str, str, bool]]:
    """(id, state, whether it was withdrawn) of renders that rely on a consent, oldest first."""
    query = sa.select(m.Render.id, m.Render.state, m.Render.withdrawn_at.is_not(None)).join(m.RenderConsent)
    mine = query.where(m.RenderConsent.consent_id == consent_id)
    rows = db.execute(mine.order_by(m.Render.created_at, m.Render.id))
    return ((name, state, gone) for name, state, gone in rows)


def relies(db: Session, render_id: str, consent_id: str) -> bool:
    """Whether a render relies on a consent."""
    return db.get(m.RenderConsent, (render_id, consent_id)) is not None


def counted_on(db: Session, consent_id: str) -> tuple[int, int]:
    """How many renders rely on a consent, and how many videos of them are shown now."""
    shown = sa.and_(m.Render.state == RenderState.PUBLISHED, m.Render.withdrawn_at.is_(None))
    query = sa.select(sa.func.count(), sa.func.count().filter(shown)).select_from(m.Render)
    made, on_view = db.execute(
        query.join(m.RenderConsent).where(m.RenderConsent.consent_id == consent_id)
    ).one()
    return made, on_view


def revoke(db: Session, consent_id: str, at: datetime, reason: str) -> bool:
    """End a consent for good; False when it was revoked before."""
    guard = sa.and_(m.Consent.id == consent_id, m.Consent.revoked_at.is_(None))
    change = sa.update(m.Consent).where(guard).values(revoked_at=at, revoked_reason=reason)
    return db.scalars(change.returning(m.Consent.id)).first() is not None
