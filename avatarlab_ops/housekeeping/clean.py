"""Small things: messages, undelivered and old ones, old progress, stages left running, work folders."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from avatarlab_ops.errors import RenderCancelled
from avatarlab_ops.housekeeping.chore import Chore, Job
from avatarlab_ops.stages import context
from avatarlab_ops.states import StageState
from avatarlab_ops.stores import outbox, webhooks
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction, upkeep

PROGRESS_KEPT = timedelta(days=1)  # after the end of the render
MESSAGES_KEPT = timedelta(days=7)  # after their delivery
DELIVERIES_KEPT = timedelta(days=30)  # after a webhook took them, or they were given up


def undelivered(job: Job) -> Chore:
    """Deliver what waits in the outbox and is due."""
    chore = Chore("documents not yet delivered")
    with transaction(job.settings.pg_dsn) as db:
        chore.found = upkeep.counted(db, m.Outbox, sa.and_(sa.text(m.WAITING), m.Outbox.next_at < m.HELD))
        dead = upkeep.counted(db, m.Outbox, m.Outbox.dead_at.is_not(None))
    if dead:
        chore.notes.append(f"{dead} given up; see `avatarlab outbox list --dead`")
    if job.apply and chore.found:
        chore.done, _ = outbox.deliver(job.settings)
    return chore


def delivered(job: Job) -> Chore:
    """Forget messages that were delivered a week ago: their receivers hold them."""
    chore = Chore("delivered messages past their week")
    with transaction(job.settings.pg_dsn) as db:
        chore.found = upkeep.counted(db, m.Outbox, m.Outbox.delivered_at < job.at - MESSAGES_KEPT)
    if job.apply:
        chore.done = outbox.forget(job.settings, older_than_s=MESSAGES_KEPT.total_seconds())
    return chore


def deliveries(job: Job) -> Chore:
    """Forget what webhooks were told, or could not be told, a month ago; until then it can be sent again."""
    rows = webhooks.past(job.at - DELIVERIES_KEPT)
    return _forgotten(job, "webhook deliveries past their 30 days", m.WebhookDelivery, rows)


def progress(job: Job) -> Chore:
    """Remove progress of renders that ended a day ago."""
    rows = upkeep.stale_progress(job.at - PROGRESS_KEPT)
    return _forgotten(job, "progress of ended renders", m.Progress, rows)


def _forgotten(
    job: Job, name: str, table: type[m.WebhookDelivery | m.Progress], rows: sa.ColumnElement[bool]
) -> Chore:
    """Count these rows of a table, and delete them where the job applies."""
    chore = Chore(name)
    with transaction(job.settings.pg_dsn) as db:
        chore.found = upkeep.counted(db, table, rows)
        if job.apply:
            db.execute(sa.delete(table).where(rows), execution_options={"synchronize_session": False})
            chore.done = chore.found
    return chore


def stages(job: Job) -> Chore:
    """Close stages that say they run though their render has ended."""
    chore = Chore("stages of ended renders left running")
    rows = upkeep.left_stages(job.settled)
    change = sa.update(m.StageRun).where(rows).values(
        state=StageState.FAILED, ended_at=job.at, error="its render ended", error_code=RenderCancelled.code
    )  # fmt: skip
    with transaction(job.settings.pg_dsn) as db:
        chore.found = upkeep.counted(db, m.StageRun, rows)
        if job.apply:
            db.execute(change, execution_options={"synchronize_session": False})
            chore.done = chore.found
    return chore


def work_folders(job: Job) -> Chore:
    """Remove work folders on this machine whose process is gone."""
    chore = Chore("work folders of killed processes")
    for folder in context.abandoned(job.settings):
        chore.add(folder.name, size=_size(folder), done=job.apply)
    if job.apply:
        context.sweep(job.settings)
    return chore


def _size(folder: Path) -> int:
    """Bytes of the files in it, as far as nobody removes it meanwhile: the next stage sweeps, too."""
    size = 0
    with suppress(OSError):
        for path in folder.rglob("*"):
            size += path.stat().st_size if path.is_file() else 0
    return size


CHORES = (undelivered, delivered, deliveries, progress, stages, work_folders)
