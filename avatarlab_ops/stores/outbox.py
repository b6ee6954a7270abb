"""What leaves for the document store: written with the state change, delivered afterwards, never lost."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.errors import AvatarlabError, TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog.models import Outbox
from avatarlab_ops.stores.documents import VALIDATORS, documents

FIRST_DELAY_S = 5  # doubles with each failure
LAST_DELAY_S = 3600
log = logging.getLogger(__name__)


def post(db: Session, topic: str, key: str, payload: dict[str, Any], render_id: str | None) -> None:
    """Put a message into the outbox, in the caller's transaction; the same message twice is one."""
    statement = insert(Outbox).values(topic=topic, key=key, payload=payload, render_id=render_id)
    db.execute(statement.on_conflict_do_nothing())


def deliver(settings: Settings, *, render_id: str | None = None, limit: int = 1000) -> tuple[int, int]:
    """Deliver what is due, all of a render's or everybody's. Return (delivered, still waiting).

    A receiver that is away leaves its messages waiting with a growing delay; nothing is raised for it.
    """
    delivered = 0
    for _ in range(limit):
        with transaction(settings.pg_dsn) as db:
            row: Outbox | None = db.scalars(_due(render_id)).first()
            if row is None:
                break
            if not _try(settings, row):
                break
            delivered += 1
    with transaction(settings.pg_dsn) as db:
        waiting = db.scalar(sa.select(sa.func.count()).where(*_waiting(render_id)))
    return delivered, int(waiting or 0)


def _waiting(render_id: str | None) -> list[sa.ColumnElement[bool]]:
    rows: list[sa.ColumnElement[bool]] = [Outbox.delivered_at.is_(None), Outbox.topic.in_(VALIDATORS)]
    return [*rows, Outbox.render_id == render_id] if render_id else rows


def _due(render_id: str | None) -> sa.Select[Any]:
    """The next message; rows that another process is delivering are left to it."""
    query = sa.select(Outbox).where(*_waiting(render_id), Outbox.next_at <= records.now())
    return query.order_by(Outbox.id).limit(1).with_for_update(skip_locked=True)


def _try(settings: Settings, row: Outbox) -> bool:
    """Deliver one message; False when the receiver is away and the others may as well wait."""
    row.attempts += 1
    try:
        documents(settings).save(row.topic, row.key, row.payload)
    except AvatarlabError as error:
        delay = min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** (row.attempts - 1))
        row.next_at, row.last_error = records.now() + timedelta(seconds=delay), str(error)
        log.warning("%s %s not delivered, tried again in %d s: %s", row.topic, row.key, delay, error)
        return not isinstance(error, TransientError)
    row.delivered_at = records.now()
    return True
