"""What happened to a render, a stage of one or a bulk run, told once, in the transaction that makes it so.

Each listener writes what its receiver is to be told (a row of the outbox, a delivery) into that transaction
and sends nothing. A new listener is a function of its own module and a line here. Streams of events need
none: they show the rows themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from avatarlab_ops.canonical import Json
from avatarlab_ops.lineage import openlineage
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import BulkEvent, Event, StageState
from avatarlab_ops.stores import traces, webhooks
from avatarlab_ops.stores.catalog import bulk, records, tables

Files = Mapping[str, Mapping[str, Any]]  # name -> {uri, sha256, ...} of what was published
Listener = Callable[[Session, Settings, tables.Render, Event, Files], None]
StageListener = Callable[[Session, Settings, str, str], None]  # render id, stage
BulkListener = Callable[[Session, Settings, tables.BulkRun, BulkEvent, Json], None]
UnplannedListener = Callable[[Session, str, str, Json], None]  # bulk run id, caller, figures
LISTENERS: tuple[Listener, ...] = (openlineage.hear, webhooks.hear, traces.hear)
# No webhook: a render would make eight calls out of one. Traces have a span of each stage already.
STAGE_LISTENERS: tuple[StageListener, ...] = (openlineage.hear_stage,)
BULK_LISTENERS: tuple[BulkListener, ...] = (openlineage.hear_bulk, webhooks.hear_bulk)
# Of a bulk run that never was, only whoever asked for it: there is nothing that lineage could be of.
UNPLANNED_LISTENERS: tuple[UnplannedListener, ...] = (webhooks.hear_unplanned,)


def tell(db: Session, settings: Settings, render_id: str, event: Event, files: Files | None = None) -> None:
    """Tell every listener what just became of a render. Raises ReferenceRefused when there is none."""
    db.expire_all()  # the row may have been changed by a statement since it was read
    render = records.find(db, render_id)
    for listener in LISTENERS:
        listener(db, settings, render, event, files or {})


def stage_done(
    db: Session,
    settings: Settings,
    render_id: str,
    stage: str,
    *,
    cached: bool = False,
    artifact: str | None = None,
    compute_s: float = 0.0,
    energy_j: float | None = None,
) -> None:
    """Record a stage as made or, `cached`, as found, and tell every listener.

    `artifact`: its fingerprint; `energy_j`: as far as its device tells. A stage that is done again is told to
    the same receivers under the same key, so that each hears of it once.
    """
    state = StageState.CACHED if cached else StageState.DONE
    records.end_stage(db, render_id, stage, state, artifact=artifact, compute_s=compute_s, energy_j=energy_j)
    for listener in STAGE_LISTENERS:
        listener(db, settings, render_id, stage)


def tell_bulk(db: Session, settings: Settings, bulk_id: str, event: BulkEvent, told: Json) -> None:
    """Tell every listener what just became of a bulk run, `told` in figures.

    Raises ReferenceRefused when there is none.
    """
    db.flush()
    run = bulk.existing(db, bulk_id)
    db.refresh(run)  # the row may have been changed by a statement since it was read
    for listener in BULK_LISTENERS:
        listener(db, settings, run, event, told)


def tell_unplanned(db: Session, bulk_id: str, caller: str, told: Json) -> None:
    """Tell that a bulk run ended before it was planned, so that none is on record; each hears it once."""
    for listener in UNPLANNED_LISTENERS:
        listener(db, bulk_id, caller, told)
