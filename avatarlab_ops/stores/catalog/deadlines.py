"""Renders with a deadline: which are due, which were told late."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog.records import now


def untold(db: Session, most: int) -> list[m.Render]:
    """Open renders with a deadline that nobody was told is missed, those due first."""
    waiting = sa.select(m.Render).where(sa.text(m.DUE), m.Render.late_told_at.is_(None))
    return list(db.scalars(waiting.order_by(m.Render.deadline, m.Render.id).limit(most)))


def mark_told(db: Session, render_id: str, deadline: datetime | None) -> bool:
    """Note that a render is told late now; False where another process did so, or it has ended.

    False, too, where `deadline` is no longer its: another one is judged at the next look.
    """
    mine = sa.update(m.Render).where(
        m.Render.id == render_id,
        m.Render.deadline == deadline,
        sa.text(m.DUE),
        m.Render.late_told_at.is_(None),
    )
    return cast("sa.CursorResult[Any]", db.execute(mine.values(late_told_at=now()))).rowcount == 1


def told(db: Session, most: int) -> tuple[int, list[m.Render]]:
    """Open renders that were told late: how many are overdue, and those that may still be made in time."""
    late = sa.and_(sa.text(m.DUE), m.Render.late_told_at.is_not(None))
    over = sa.select(sa.func.count()).where(late, m.Render.deadline <= now())
    ahead = sa.select(m.Render).where(late, m.Render.deadline > now()).order_by(m.Render.deadline)
    return db.scalar(over) or 0, list(db.scalars(ahead.limit(most)))
