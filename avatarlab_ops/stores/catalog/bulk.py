"""Bulk runs and their items in the catalog. Every function works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.states import FINAL, SETTLED, ItemState, StageState
from avatarlab_ops.stores.catalog import lock_number, notes, records
from avatarlab_ops.stores.catalog import tables as m

PAGE = 500  # rows that are read or written at once


def begin(db: Session, **values: Any) -> bool:
    """Write a bulk run; False when there is one of its id."""
    statement = insert(m.BulkRun).values(values).on_conflict_do_nothing().returning(m.BulkRun.id)
    return db.scalars(statement).first() is not None


def choose_alone(db: Session) -> None:
    """Wait until no other plan chooses among published videos: until it ends, its choice cannot be seen."""
    number = lock_number("bulk runs choose videos")
    db.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def find(db: Session, bulk_id: str) -> m.BulkRun | None:
    """The bulk run, if it was ever planned."""
    return db.get(m.BulkRun, bulk_id)


def existing(db: Session, bulk_id: str) -> m.BulkRun:
    """The bulk run. Raises ReferenceRefused when there is none."""
    found = find(db, bulk_id)
    if found is None:
        raise ReferenceRefused(
            f"there is no bulk run {bulk_id!r}; `avatarlab regenerate` prints the id of one"
        )
    return found


def open_runs(db: Session) -> dict[str, str]:
    """Bulk run id to run id of the bulk runs that a DAG run worked on last and that have not ended."""
    mine = sa.and_(m.BulkRun.ended_at.is_(None), m.BulkRun.run_id.is_not(None))
    return {run.id: str(run.run_id) for run in db.scalars(sa.select(m.BulkRun).where(mine))}


def add_items(db: Session, rows: list[Json]) -> None:
    """Write items of a run that is being planned."""
    if rows:
        db.execute(sa.insert(m.BulkItem), rows)


def fold_batches(db: Session, bulk_id: str, batches: int) -> None:
    """Spread items over at most so many batches."""
    mine = m.BulkItem.bulk_id == bulk_id
    db.execute(sa.update(m.BulkItem).where(mine).values(batch=m.BulkItem.batch % batches))


def open_batches(db: Session, bulk_id: str) -> list[int]:
    """Batches with items that have not ended."""
    mine = sa.and_(m.BulkItem.bulk_id == bulk_id, m.BulkItem.state == ItemState.WAITING)
    return list(db.scalars(sa.select(m.BulkItem.batch).where(mine).distinct().order_by(m.BulkItem.batch)))


def open_items(db: Session, bulk_id: str, batch: int, stage: str) -> list[m.BulkItem]:
    """Items of a batch for which the stage is still to be done, in order."""
    run = sa.and_(m.StageRun.render_id == m.BulkItem.render_id, m.StageRun.stage == stage)
    query = (
        sa.select(m.BulkItem)
        .outerjoin(m.StageRun, run)
        .where(
            m.BulkItem.bulk_id == bulk_id, m.BulkItem.batch == batch, m.BulkItem.state == ItemState.WAITING
        )
        .where(sa.or_(m.StageRun.state.is_(None), m.StageRun.state.not_in(SETTLED)))
    )
    return list(db.scalars(query.order_by(m.BulkItem.number)))


def assign(db: Session, item: m.BulkItem, render_id: str) -> bool:
    """Note which render makes an item; False when the item has ended meanwhile."""
    row = sa.and_(m.BulkItem.bulk_id == item.bulk_id, m.BulkItem.number == item.number)
    noted = (
        sa.update(m.BulkItem).where(row, m.BulkItem.state == ItemState.WAITING).values(render_id=render_id)
    )
    return db.scalars(noted.returning(m.BulkItem.number)).first() is not None


def end_rest(db: Session, bulk_id: str, state: str, error: BaseException | str | None = None) -> list[str]:
    """End the items that have no render yet; return the renders of those that have one."""
    mine = sa.and_(m.BulkItem.bulk_id == bulk_id, m.BulkItem.state == ItemState.WAITING)
    ended = sa.update(m.BulkItem).where(mine, m.BulkItem.render_id.is_(None))
    why = {"error": records.describe(error), "error_code": records.code_of(error)} if error else {}
    db.execute(ended.values(state=state, ended_at=records.now(), **why))
    return [name for name in db.scalars(sa.select(m.BulkItem.render_id).where(mine)) if name]


def refuse(db: Session, item: m.BulkItem, error: BaseException) -> None:
    """End an item that got no render."""
    row = sa.and_(m.BulkItem.bulk_id == item.bulk_id, m.BulkItem.number == item.number)
    values = {"error": records.describe(error), "error_code": records.code_of(error)}
    ended = sa.update(m.BulkItem).where(row, m.BulkItem.state == ItemState.WAITING)
    db.execute(ended.values(state=ItemState.FAILED, ended_at=records.now(), **values))


def settle(db: Session, bulk_id: str, batch: int | None = None) -> None:
    """End the items whose renders have ended."""
    mine = sa.and_(m.BulkItem.bulk_id == bulk_id, m.BulkItem.state == ItemState.WAITING)
    over = sa.and_(m.Render.id == m.BulkItem.render_id, m.Render.state.in_(FINAL))
    ended = sa.update(m.BulkItem).where(mine, over).values(
        state=m.Render.state, error=m.Render.error, error_code=m.Render.error_code, ended_at=m.Render.ended_at
    )  # fmt: skip
    db.execute(ended if batch is None else ended.where(m.BulkItem.batch == batch))


def counts(db: Session, bulk_id: str) -> dict[str, int]:
    """State to number of items."""
    return counts_of(db, [bulk_id]).get(bulk_id, {})


def with_deadline(db: Session, bulk_ids: list[str]) -> list[m.BulkRun]:
    """Bulk runs among `bulk_ids` that have a deadline."""
    mine = sa.and_(m.BulkRun.id.in_(bulk_ids), m.BulkRun.deadline.is_not(None))
    return list(db.scalars(sa.select(m.BulkRun).where(mine)))


def counts_of(db: Session, bulk_ids: list[str]) -> dict[str, dict[str, int]]:
    """State to number of items of each run that was planned; one that chose nothing has no state."""
    query = (
        sa.select(m.BulkRun.id, m.BulkItem.state, sa.func.count())
        .outerjoin(m.BulkItem, m.BulkItem.bulk_id == m.BulkRun.id)
        .where(m.BulkRun.id.in_(bulk_ids))
        .group_by(m.BulkRun.id, m.BulkItem.state)
    )
    found: dict[str, dict[str, int]] = {}
    for bulk_id, state, number in db.execute(query):
        found.setdefault(bulk_id, {}).update({state: int(number)} if state else {})
    return found


def published(db: Session, bulk_id: str, batch: int) -> list[str]:
    """Renders of the videos of a batch that this run published and that are shown; none that were there."""
    query = sa.select(m.Render.id).join(m.BulkItem, m.BulkItem.render_id == m.Render.id)
    mine = query.join(m.BulkRun, m.BulkRun.id == m.BulkItem.bulk_id).where(
        m.BulkItem.bulk_id == bulk_id, m.BulkItem.batch == batch, m.BulkItem.state == ItemState.PUBLISHED,
        m.Render.withdrawn_at.is_(None), m.Render.ended_at >= m.BulkRun.created_at,
    )  # fmt: skip
    return list(db.scalars(mine.order_by(m.BulkItem.number)))


def awaiting(db: Session, bulk_id: str, batch: int) -> list[str]:
    """Renders of a batch that wait for approval."""
    run = sa.and_(m.StageRun.render_id == m.BulkItem.render_id, m.StageRun.state == StageState.AWAITING)
    mine = sa.and_(
        m.BulkItem.bulk_id == bulk_id, m.BulkItem.batch == batch, m.BulkItem.state == ItemState.WAITING
    )
    return list(db.scalars(sa.select(m.StageRun.render_id).join(m.BulkItem, run).where(mine)))


def predicted(db: Session, bulk_id: str, *, waiting: bool = False) -> float:
    """GPU-seconds that the items, or those that have not ended, were predicted to need."""
    query = sa.select(sa.func.sum(m.BulkItem.predicted_gpu_s)).where(m.BulkItem.bulk_id == bulk_id)
    return float(db.scalar(query.where(m.BulkItem.state == ItemState.WAITING) if waiting else query) or 0.0)


def left(db: Session, bulk_id: str) -> tuple[int, float]:
    """(items, their predicted GPU-seconds) of those that have not ended."""
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(m.BulkItem.predicted_gpu_s), 0.0))
    mine = sa.and_(m.BulkItem.bulk_id == bulk_id, m.BulkItem.state == ItemState.WAITING)
    items, gpu_s = db.execute(query.where(mine)).one()
    return int(items), float(gpu_s)


@dataclass(frozen=True)
class Lately:
    """What a bulk run got done since a moment: items, and the GPU-seconds they were predicted to need."""

    since: datetime
    items: int
    gpu_s: float


def lately(db: Session, known: m.BulkRun, most: int) -> Lately:
    """What the run's last items (at most `most`) took; items that others had made before do not count."""
    mine = sa.and_(m.BulkItem.bulk_id == known.id, m.BulkItem.ended_at > known.created_at)
    query = sa.select(m.BulkItem.ended_at, m.BulkItem.predicted_gpu_s).where(mine)
    rows = list(db.execute(query.order_by(m.BulkItem.ended_at.desc()).limit(most + 1)))
    since = rows.pop().ended_at if len(rows) > most else known.created_at
    return Lately(since, len(rows), sum(row.predicted_gpu_s for row in rows))


def untold_deadlines(db: Session) -> list[m.BulkRun]:
    """Open runs with a deadline that were not told to be late; locked until the transaction ends."""
    untold = sa.and_(
        m.BulkRun.ended_at.is_(None), m.BulkRun.deadline.is_not(None), m.BulkRun.late_told_at.is_(None)
    )
    return list(db.scalars(sa.select(m.BulkRun).where(untold).with_for_update(skip_locked=True)))


def results(db: Session, bulk_id: str, gpu_stages: tuple[str, ...]) -> Iterator[Json]:
    """What became of each item, in order. `gpu_stages`: whose seconds are GPU-seconds."""
    spent = sa.func.coalesce(sa.func.sum(m.StageRun.compute_s), 0.0)
    mine = m.StageRun.render_id == m.BulkItem.render_id
    joules = sa.select(sa.func.sum(m.StageRun.energy_j)).where(mine)
    compute = sa.select(spent).where(mine).scalar_subquery().label("compute_s")
    gpu = sa.select(spent).where(mine, m.StageRun.stage.in_(gpu_stages)).scalar_subquery().label("gpu_s")
    query = (
        sa.select(m.BulkItem, m.Render.measures, compute, gpu, joules.scalar_subquery().label("energy_j"))
        .outerjoin(m.Render, m.Render.id == m.BulkItem.render_id)
        .where(m.BulkItem.bulk_id == bulk_id)
        .order_by(m.BulkItem.number)
    )
    for page in db.execute(query.execution_options(yield_per=PAGE)).partitions():
        noted = notes.of_renders(db, [row.BulkItem.render_id for row in page])
        for row in page:
            found = {"notes": noted.get(row.BulkItem.render_id or "", [])}
            yield _result(row) | found | _files(db, row.BulkItem)


def _result(row: Any) -> Json:
    item: m.BulkItem = row.BulkItem
    return {
        "number": item.number,
        "line": item.line,
        "key": item.key,
        "state": item.state,
        "render_id": item.render_id,
        "source": item.source,
        "variables": item.variables,
        "duration_s": (row.measures or {}).get("duration_s"),
        "compute_s": round(row.compute_s, 3),
        "gpu_s": round(row.gpu_s, 3),
        "energy_j": None if row.energy_j is None else round(row.energy_j, 3),
        "error_code": item.error_code,
        "error": item.error,
    }


def _files(db: Session, item: m.BulkItem) -> Json:
    made = item.render_id if item.state == ItemState.PUBLISHED else None
    files = records.published_files(db, made) if made else {}
    video = next((file.uri for name, file in files.items() if name.startswith("video.")), None)
    return {"video": video, "manifest": files["manifest.json"].uri if "manifest.json" in files else None}


def over(db: Session, bulk_ids: Collection[str]) -> list[str]:
    """Open runs among `bulk_ids` with no item left: each has ended, or its render has."""
    left = (
        sa.select(m.BulkItem.number)
        .outerjoin(m.Render, m.Render.id == m.BulkItem.render_id)
        .where(m.BulkItem.bulk_id == m.BulkRun.id, m.BulkItem.state == ItemState.WAITING)
        .where(sa.or_(m.Render.id.is_(None), m.Render.state.not_in(FINAL)))
    )
    mine = sa.and_(m.BulkRun.id.in_(bulk_ids), m.BulkRun.ended_at.is_(None), ~left.exists())
    return list(db.scalars(sa.select(m.BulkRun.id).where(mine)))


def end(db: Session, bulk_id: str, counted: dict[str, int]) -> bool:
    """Close a bulk run; False when it was closed before."""
    row = sa.and_(m.BulkRun.id == bulk_id, m.BulkRun.ended_at.is_(None))
    values = {"counts": counted, "ended_at": records.now()}
    return (
        db.scalars(sa.update(m.BulkRun).where(row).values(values).returning(m.BulkRun.id)).first() is not None
    )


def items(db: Session, bulk_id: str, *, after: int, limit: int, state: str | None = None) -> list[m.BulkItem]:
    """Items whose number is above `after`, in order, of one state where it is given."""
    mine = sa.select(m.BulkItem).where(m.BulkItem.bulk_id == bulk_id, m.BulkItem.number > after)
    mine = mine.where(m.BulkItem.state == state) if state else mine
    return list(db.scalars(mine.order_by(m.BulkItem.number).limit(limit)))


def newest(db: Session, limit: int) -> list[m.BulkRun]:
    """The newest bulk runs, the newest first."""
    query = sa.select(m.BulkRun).order_by(m.BulkRun.created_at.desc(), m.BulkRun.id)
    return list(db.scalars(query.limit(limit)))
