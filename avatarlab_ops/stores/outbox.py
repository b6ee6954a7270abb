"""What leaves for another system: written with the state change, delivered afterwards, never lost.

Each receiver gets its messages at least once, those of one render in the order in which they were written: a
later one waits while an earlier one is being tried. A receiver that is away is tried for ever, with a growing
delay. A message that its receiver refuses TRIES times is dead: it steps aside for the render's later ones
until a person corrects the cause and replays it. Receivers take the same message twice without harm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from avatarlab_ops.errors import TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import openlineage
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog.tables import HELD, Outbox
from avatarlab_ops.stores.documents import VALIDATORS, documents

FIRST_DELAY_S = 5  # doubles with each failure
LAST_DELAY_S = 3600
AT_ONCE = 50  # messages that one transaction claims; killed, it sends those again
IN_A_ROUND = 1000  # messages that one process tries at each receiver before it goes on with its work
TRIES = 8  # of a message that is refused; ten minutes of delays
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receiver:
    """Another system: the topics that are meant for it, and what sends (settings, topic, key, payload)."""

    topics: tuple[str, ...]
    send: Callable[[Settings, str, str, dict[str, Any]], None]


def _save(settings: Settings, topic: str, key: str, payload: dict[str, Any]) -> None:
    documents(settings).save(topic, key, payload)


def _emit(settings: Settings, _topic: str, _key: str, payload: dict[str, Any]) -> None:
    openlineage.emit(settings, payload)


def receivers(settings: Settings) -> tuple[Receiver, ...]:
    """Receivers that this process is configured for; messages to others wait for a process that is."""
    always = (Receiver(tuple(VALIDATORS), _save),)
    return (*always, Receiver((openlineage.TOPIC,), _emit)) if settings.openlineage else always


def post(
    db: Session, topic: str, key: str, payload: dict[str, Any], render_id: str | None, *, held: bool = False
) -> None:
    """Put a message into the outbox, in the caller's transaction; the same message twice is one.

    `held`: nobody is sent it before it is released.
    """
    values = {"topic": topic, "key": key, "payload": payload, "render_id": render_id}
    statement = insert(Outbox).values(values | ({"next_at": HELD} if held else {}))
    db.execute(statement.on_conflict_do_nothing())


def release(db: Session, topic: str, render_ids: Sequence[str]) -> None:
    """Let what was held of these renders be delivered."""
    mine = sa.and_(Outbox.topic == topic, Outbox.render_id.in_(render_ids), Outbox.next_at == HELD)
    db.execute(sa.update(Outbox).where(mine).values(next_at=records.now()))


def deliver(settings: Settings, *, render_id: str | None = None) -> tuple[int, int]:
    """Deliver what is due, all of a render's or everybody's. Return (delivered, still waiting).

    A receiver that is away leaves its messages waiting; nothing is raised for it. Several processes may
    deliver at once.
    """
    served = receivers(settings)
    delivered = sum(deliver_to(settings, receiver, render_id) for receiver in served)
    with transaction(settings.pg_dsn) as db:
        topics = tuple(topic for receiver in served for topic in receiver.topics)
        waiting = db.scalar(sa.select(sa.func.count()).where(*_waiting(Outbox, topics, render_id)))
    return delivered, int(waiting or 0)


def deliver_to(settings: Settings, receiver: Receiver, render_id: str | None = None) -> int:
    """Deliver to one receiver until nothing is due, it is away, or `IN_A_ROUND` were tried.

    One transaction for a few renders.
    """
    delivered = tried = 0
    there = True
    while there and tried < IN_A_ROUND:
        with transaction(settings.pg_dsn) as db:
            rows: Sequence[Outbox] = db.scalars(
                _due(receiver, render_id, min(AT_ONCE, IN_A_ROUND - tried))
            ).all()
            there = bool(rows) and all(_try(settings, receiver, row) for row in rows)
            tried += len(rows)
            delivered += sum(row.delivered_at is not None for row in rows)
    return delivered


def _waiting(
    rows: type[Outbox], topics: Sequence[str], render_id: str | None = None
) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]]
    found = [rows.delivered_at.is_(None), rows.dead_at.is_(None), rows.topic.in_(topics)]
    return [*found, rows.render_id == render_id] if render_id else found


def _due(receiver: Receiver, render_id: str | None, count: int) -> sa.Select[Any]:
    """The next messages that are each the first one waiting of their render.

    One that another process is delivering is left to it, and still holds back those that follow it.
    """
    earlier = aliased(Outbox)
    before = sa.exists().where(
        earlier.render_id == Outbox.render_id, earlier.id < Outbox.id, *_waiting(earlier, receiver.topics)
    )
    query = sa.select(Outbox).where(*_waiting(Outbox, receiver.topics, render_id), ~before)
    query = query.where(Outbox.next_at <= records.now())
    return query.order_by(Outbox.id).limit(count).with_for_update(skip_locked=True, of=Outbox)


def _try(settings: Settings, receiver: Receiver, row: Outbox) -> bool:
    """Deliver one message; False when the receiver is away and the others may as well wait."""
    row.attempts += 1
    try:
        receiver.send(settings, row.topic, row.key, row.payload)
    except Exception as error:  # noqa: BLE001 (kept in the row; whatever it is, it must not stop the others)
        away = isinstance(error, TransientError)
        delay = min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** min(row.attempts - 1, 16))
        row.next_at, row.last_error = records.now() + timedelta(seconds=delay), records.describe(error)
        row.dead_at = records.now() if row.attempts >= TRIES and not away else None
        told = "given up; see `avatarlab outbox list`" if row.dead_at else f"tried again in {delay} s"
        log.warning("%s %s not delivered, %s: %s", row.topic, row.key, told, error)
        return not away
    row.delivered_at = records.now()
    return True


def pending(settings: Settings, *, dead: bool = False, limit: int = 100) -> list[Outbox]:
    """The oldest messages that are waiting, or that are dead; not those that are held."""
    waiting = [Outbox.delivered_at.is_(None), Outbox.dead_at.is_(None), Outbox.next_at < HELD]
    state = [Outbox.dead_at.is_not(None)] if dead else waiting
    with transaction(settings.pg_dsn) as db:
        return list(db.scalars(sa.select(Outbox).where(*state).order_by(Outbox.id).limit(limit)))


def replay(settings: Settings, ids: Sequence[int] | None = None) -> int:
    """Let dead messages be tried anew, these or all; return how many. The next `deliver` takes them up."""
    statement = sa.update(Outbox).where(Outbox.dead_at.is_not(None))
    if ids is not None:
        statement = statement.where(Outbox.id.in_(ids))
    fresh = {"dead_at": None, "attempts": 0, "next_at": records.now()}
    with transaction(settings.pg_dsn) as db:
        return len(db.scalars(statement.values(fresh).returning(Outbox.id)).all())


def forget(settings: Settings, *, older_than_s: float) -> int:
    """Remove delivered messages; return how many. For housekeeping: their receivers hold them."""
    before = records.now() - timedelta(seconds=older_than_s)
    with transaction(settings.pg_dsn) as db:
        gone = sa.delete(Outbox).where(Outbox.delivered_at < before).returning(Outbox.id)
        return len(db.scalars(gone).all())
