"""What budgets ask: GPU-seconds spent lately, and those that admitted work will still need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops.states import OPEN, SETTLED, ItemState, StageState
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog.records import now

__all__ = [
    "in_bulk_run",
    "now",
    "one_at_a_time",
    "open_by_caller",
    "open_renders",
    "ordered_by_caller",
    "ordered_gpu_s",
    "spent",
    "spent_by_caller",
    "waiting_by_caller",
    "waiting_items_gpu_s",
]


def one_at_a_time(db: Session) -> None:
    """Let one transaction decide about budgets at a time, until it ends."""
    db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('avatarlab budget'))"))


def spent(
    db: Session, stages: Iterable[str], *, since: datetime, caller: str | None
) -> list[tuple[datetime, float]]:
    """(end, seconds) of every stage run that worked; `caller` None: everybody's."""
    query = _spent(sa.select(m.StageRun.ended_at, m.StageRun.compute_s), stages, since)
    rows = db.execute(query.where(m.Request.caller == caller) if caller is not None else query)
    return [(row.ended_at, row.compute_s) for row in rows]


def spent_by_caller(db: Session, stages: Iterable[str], *, since: datetime) -> dict[str, float]:
    """Seconds of every caller's stage runs that worked."""
    query = _spent(sa.select(m.Request.caller, sa.func.sum(m.StageRun.compute_s)), stages, since)
    return {caller: float(seconds) for caller, seconds in db.execute(query.group_by(m.Request.caller))}


def _spent(query: Any, stages: Iterable[str], since: datetime) -> Any:
    return (
        query.select_from(m.StageRun)
        .join(m.Render, m.Render.id == m.StageRun.render_id)
        .join(m.Request, m.Request.id == m.Render.request_id)
        .where(
            m.StageRun.state == StageState.DONE,
            m.StageRun.ended_at > since,
            m.StageRun.stage.in_(tuple(stages)),
        )
    )


def open_renders(
    db: Session, caller: str | None, besides: str | None
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """(prediction, settled stages) of every render but `besides` that was admitted and has not ended."""
    query = _open().where(m.Render.id.is_distinct_from(besides))
    rows = db.execute(query.where(m.Request.caller == caller) if caller is not None else query)
    return ((row.predicted, row.ended or []) for row in rows)


def open_by_caller(db: Session) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """(caller, prediction, settled stages) of every render that was admitted and has not ended."""
    return ((row.caller, row.predicted, row.ended or []) for row in db.execute(_open()))


def _open() -> Any:
    ended = (
        sa.select(sa.func.array_agg(m.StageRun.stage))
        .where(m.StageRun.render_id == m.Render.id, m.StageRun.state.in_(SETTLED))
        .scalar_subquery()
    )
    return (
        sa.select(m.Request.caller, m.Render.predicted, ended.label("ended"))
        .join(m.Request, m.Request.id == m.Render.request_id)
        .where(m.Render.state.in_(OPEN), m.Render.predicted.is_not(None))
    )


def waiting_items_gpu_s(db: Session, caller: str | None, besides: str | None) -> float:
    """Predicted GPU-seconds of bulk items without a render; those of the run `besides` do not count."""
    query = (
        sa.select(sa.func.sum(m.BulkItem.predicted_gpu_s))
        .join(m.BulkRun, m.BulkRun.id == m.BulkItem.bulk_id)
        .where(m.BulkItem.state == ItemState.WAITING, m.BulkItem.render_id.is_(None))
        .where(m.BulkRun.id.is_distinct_from(besides))
    )
    return float(db.scalar(query.where(m.BulkRun.caller == caller) if caller is not None else query) or 0.0)


def waiting_by_caller(db: Session) -> dict[str, float]:
    """Predicted GPU-seconds of every caller's bulk items without a render."""
    query = (
        sa.select(m.BulkRun.caller, sa.func.sum(m.BulkItem.predicted_gpu_s))
        .join(m.BulkItem, m.BulkRun.id == m.BulkItem.bulk_id)
        .where(m.BulkItem.state == ItemState.WAITING, m.BulkItem.render_id.is_(None))
    )
    return {caller: float(seconds) for caller, seconds in db.execute(query.group_by(m.BulkRun.caller))}


def ordered_gpu_s(db: Session, caller: str | None, besides: str | None) -> float:
    """GPU-seconds foreseen for ordered renders, but `besides`, that are not admitted yet."""
    query = _ordered(sa.select(sa.func.sum(m.RenderOrder.gpu_s)))
    query = query.where(m.Render.id.is_distinct_from(besides))
    mine = m.RenderOrder.caller == caller
    return float(db.scalar(query.where(mine) if caller is not None else query) or 0.0)


def ordered_by_caller(db: Session) -> dict[str, float]:
    """GPU-seconds foreseen for each caller's ordered renders that are not admitted yet."""
    query = _ordered(sa.select(m.RenderOrder.caller, sa.func.sum(m.RenderOrder.gpu_s)))
    return {caller: float(seconds) for caller, seconds in db.execute(query.group_by(m.RenderOrder.caller))}


def _ordered(query: Any) -> Any:
    same = m.Render.id == m.RenderOrder.render_id
    waits = sa.and_(m.Render.state.in_(OPEN), m.Render.predicted.is_(None))  # in line, or being admitted
    return query.select_from(m.RenderOrder).join(m.Render, same).where(waits)


def in_bulk_run(db: Session, render_id: str) -> bool:
    """Whether a render is an item's: its GPU-seconds were promised when the bulk run was planned."""
    return (
        db.scalar(sa.select(m.BulkItem.number).where(m.BulkItem.render_id == render_id).limit(1)) is not None
    )
