"""When a bulk run will have ended, and who is told when that is beyond its deadline."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from avatarlab_ops import environment, events
from avatarlab_ops.renders.status import is_late
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import BulkEvent
from avatarlab_ops.stores.catalog import bulk, records, transaction
from avatarlab_ops.stores.catalog.line import FAR

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from avatarlab_ops.stores.catalog.tables import BulkRun

ITEM_S = 1.0  # of an item besides its GPU-seconds: laying together, publishing, its part of a task's start
RECENT = 50  # items by which the pace is measured: more than a batch, few enough to notice a change


def expected_end(db: Session, known: BulkRun) -> datetime | None:
    """When the last item will have ended, at the pace of those that ended last.

    None once all have, or beyond `FAR`. Before any has ended: as if the pool `gpu` gave all places that bulk
    runs may take. A run that stands still is expected later with every look.
    """
    left_s = _work_s(*bulk.left(db, known.id))
    if known.ended_at is not None or not left_s:
        return None
    instant = records.now()
    lately = bulk.lately(db, known, RECENT)
    done_s = _work_s(lately.items, lately.gpu_s)
    usual = 1 / environment.read().bulk_gpu_tasks
    pace = (instant - lately.since) / timedelta(seconds=done_s) if done_s else usual
    ahead_s = left_s * pace
    return instant + timedelta(seconds=ahead_s) if ahead_s < FAR.total_seconds() else None


def _work_s(items: int, gpu_s: float) -> float:
    return gpu_s + ITEM_S * items


def runs_late(db: Session, known: BulkRun) -> bool:
    """Whether a run ended beyond its deadline, or is expected to by the forecast of this moment."""
    return known.deadline is not None and is_late(known.deadline, known.ended_at, expected_end(db, known))


def tell_late(settings: Settings) -> list[str]:
    """Tell, once a run, that its forecast has gone beyond its deadline; return the runs' ids.

    Safe to call at any time by any number of processes: each run is told by one of them.
    """
    told = []
    with transaction(settings.pg_dsn) as db:
        for known in bulk.untold_deadlines(db):
            ends = expected_end(db, known)
            if not is_late(known.deadline, known.ended_at, ends):
                continue
            known.late_told_at = records.now()
            expected = ends.isoformat() if ends else None
            figures = {"states": bulk.counts(db, known.id), "expected_end": expected}
            events.tell_bulk(db, settings, known.id, BulkEvent.LATE, figures)
            told.append(known.id)
    return told
