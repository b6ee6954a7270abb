"""Work on one batch: a stage for all of its items, then the next stage, so that a model is loaded once.

A batch gives its place in the pool back when a turn is over, between two stages of two items; whoever waits
for the pool goes first. Everything may be called again after any failure: what is done is not done again.
"""

from __future__ import annotations

import logging
import math
import time

from avatarlab_ops import pipeline
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.bulk.planning import Outline, plan
from avatarlab_ops.bulk.report import Summary, finish
from avatarlab_ops.errors import (
    ApprovalAwaited,
    AvatarlabError,
    DeviceFailed,
    InputError,
    RenderCancelled,
    TransientError,
)
from avatarlab_ops.graph import GROUPS, PUBLISH
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import ItemState, RenderState
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import bulk, transaction
from avatarlab_ops.stores.catalog.tables import BulkItem

log = logging.getLogger(__name__)


def work(
    settings: Settings,
    bulk_id: str,
    batch: int,
    group: str,
    *,
    turn_s: float = math.inf,
    last_try: bool = False,
) -> bool:
    """Do a group of stages for the items of a batch; False when the turn ended before the work did.

    Raises the first error that a retry may help, after the other items had their turn; on the last try such
    an error ends its item instead. A store that is away ends the turn at once, and no item; so does a GPU
    that failed, but on the last try the item ends, too, that it failed with.
    """
    try:
        return _turn(settings, bulk_id, batch, group, deadline=time.monotonic() + turn_s, last_try=last_try)
    finally:
        if PUBLISH.name in GROUPS[group]:  # what the stages before have to tell leaves with it
            outbox.deliver(settings)


def _turn(
    settings: Settings, bulk_id: str, batch: int, group: str, *, deadline: float, last_try: bool
) -> bool:
    trouble: AvatarlabError | None = None
    worked = False  # the shortest turn gets one step done
    for stage in GROUPS[group]:
        for item in _open(settings, bulk_id, batch, stage):
            if worked and time.monotonic() > deadline:
                return False
            worked = True
            trouble = _step(settings, item, stage, last_try=last_try) or trouble
    with transaction(settings.pg_dsn) as db:
        bulk.settle(db, bulk_id, batch)
    if trouble is not None:
        raise trouble
    return True


def _open(settings: Settings, bulk_id: str, batch: int, stage: str) -> list[BulkItem]:
    with transaction(settings.pg_dsn) as db:
        bulk.settle(db, bulk_id, batch)
        return bulk.open_items(db, bulk_id, batch, stage)


def _step(settings: Settings, item: BulkItem, stage: str, *, last_try: bool) -> AvatarlabError | None:
    """One stage of one item; the error that makes another try worth while."""
    try:
        render_id = item.render_id or _submit(settings, item)
        if render_id is not None:
            pipeline.run_stage(settings, render_id, stage, deliver_now=False)
    except (ApprovalAwaited, RenderCancelled) as error:  # the others need not wait for it
        log.info("item %s: %s", item.key, error)
    except AvatarlabError as error:
        if isinstance(error, DeviceFailed) and last_try:  # or the batch would come no further by this item
            _fail(settings, item, stage, error)
        if isinstance(error, TransientError):
            raise
        if error.retryable and not last_try:
            return error
        _fail(settings, item, stage, error)
    except Exception as error:
        # A defect that one item meets is kept with the item and must not stop the others.
        log.exception("item %s failed in %s", item.key, stage)
        _fail(settings, item, stage, error)
    return None


def _submit(settings: Settings, item: BulkItem) -> str | None:
    """The item's render; None when it is refused, which ends the item, or was cancelled meanwhile."""
    with transaction(settings.pg_dsn) as db:
        caller = bulk.existing(db, item.bulk_id).caller
    try:
        render_id = pipeline.submit(settings, item.request, caller=caller)
    except InputError as error:
        with transaction(settings.pg_dsn) as db:
            bulk.refuse(db, item, error)
        return None
    with transaction(settings.pg_dsn) as db:
        wanted = bulk.assign(db, item, render_id)
    if not wanted:
        pipeline.cancel(settings, render_id)
        return None
    item.render_id = render_id
    return render_id


def _fail(settings: Settings, item: BulkItem, stage: str, error: BaseException) -> None:
    if item.render_id is not None:
        pipeline.fail(settings, item.render_id, error, stage=stage)
    else:
        with transaction(settings.pg_dsn) as db:
            bulk.refuse(db, item, error)


def cancel(
    settings: Settings,
    bulk_id: str,
    reason: str | None = None,
    *,
    failed: bool = False,
    address: str | None = None,
) -> Summary:
    """End every item that has not ended, as cancelled or failed, and close the run.

    Stages at work stop at their next report. `address`: as `finish` takes it. Raises ReferenceRefused when
    there is no such bulk run.
    """
    error = None if reason is None else reason if failed else RenderCancelled(reason)
    with transaction(settings.pg_dsn) as db:
        bulk.existing(db, bulk_id)
        at_work = bulk.end_rest(db, bulk_id, ItemState.FAILED if failed else ItemState.CANCELLED, error)
    if failed:
        pipeline.end_all(settings, at_work, RenderState.FAILED, error or "its bulk run failed")
    else:
        pipeline.end_all(settings, at_work, RenderState.CANCELLED, error)
    return finish(settings, bulk_id, address=address, failed=failed)


def run(settings: Settings, asked: BulkRequest, *, bulk_id: str, caller: str = "cli") -> Summary:
    """Plan and do a whole bulk run in this process."""
    outline: Outline = plan(settings, asked, bulk_id=bulk_id, caller=caller)
    for batch in outline.batches:
        for group in GROUPS:
            work(settings, bulk_id, batch, group, last_try=True)
    return finish(settings, bulk_id)
