"""Renders whose run vanished are closed; videos past their retention are withdrawn, tombstones signed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from avatarlab_ops.errors import TransientError
from avatarlab_ops.housekeeping.chore import Chore, Job
from avatarlab_ops.housekeeping.paging import pages
from avatarlab_ops.renders import withdrawal
from avatarlab_ops.renders.ending import end
from avatarlab_ops.retention import retention_of
from avatarlab_ops.states import RenderState
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import lock_number, transaction, upkeep
from avatarlab_ops.stores.catalog.tables import BulkRun, Render
from avatarlab_ops.trust import tombstones


def vanished(job: Job) -> Chore:
    """Close renders that nobody works on.

    A render of an Airflow run lives as long as that run. Any other lives while a process holds its lock, or
    showed work within `Rules.idle`: what was killed holds no lock and shows nothing. An item of a bulk run
    lives besides as long as that one's Airflow run, and while any other item of it showed work.
    """
    chore = Chore("renders whose run vanished")
    with transaction(job.settings.pg_dsn) as db:
        idle = upkeep.idle_renders(db, job.settled)
        long = {render.id for render in upkeep.idle_renders(db, min(job.at - job.rules.idle, job.settled))}
    for render in idle:
        reason = _over(job, render, long_idle=render.id in long)
        if reason and _untouched(job, render.id):
            chore.add(f"{render.id}: {reason}", done=job.apply and _close(job, render.id, reason))
    return chore


def _over(job: Job, render: Render, *, long_idle: bool) -> str | None:
    """The reason to close an idle render; None while a process may still work on it."""
    if render.run_id is not None:
        return f"its run {render.run_id} is over" if job.alive(render.run_id) is False else None
    if not long_idle:
        return None
    if render.awaits_approval:
        return None  # however long that takes; an operator may refuse it
    with transaction(job.settings.pg_dsn) as db:
        bulk_runs = upkeep.bulk_runs_of(db, render.id)
        if any(_goes_on(job, db, run) for run in bulk_runs):
            return None
    return f"its bulk run {bulk_runs[0].id} is over" if bulk_runs else "its process ended before it did"


def _goes_on(job: Job, db: Session, bulk_run: BulkRun) -> bool:
    if upkeep.has_worked(db, bulk_run.id, job.at - job.rules.idle):
        return True
    return bulk_run.run_id is not None and job.bulk_alive(bulk_run.run_id) is not False


def _untouched(job: Job, render_id: str) -> bool:
    with transaction(job.settings.pg_dsn) as db:
        return upkeep.try_alone(db, lock_number(f"render {render_id}"))


def _close(job: Job, render_id: str, reason: str) -> bool:
    with transaction(job.settings.pg_dsn) as db:
        if not upkeep.try_alone(db, lock_number(f"render {render_id}")):
            return False
        if render_id not in {one.id for one in upkeep.idle_renders(db, job.settled)}:
            return False
        error = TransientError(f"{reason}; submit the request again")
        closed = end(job.settings, db, render_id, RenderState.FAILED, error=error)
    outbox.deliver(job.settings, render_id=render_id)
    return closed


def expired(job: Job) -> Chore:
    """Withdraw videos that are older than their request's label `retention` allows."""
    chore = Chore("videos past their retention")
    with transaction(job.settings.pg_dsn) as db:
        labelled = upkeep.labelled(db)
    past = (one for one in labelled if _past(one, job.at))
    for page in pages(past):
        with transaction(job.settings.pg_dsn) as db:
            files = upkeep.files_of(db, [one.render_id for one in page])
        for one in page:
            promised = files.get(one.render_id, {}).items()
            size = sum(file.bytes for name, file in promised if name != withdrawal.KEPT)
            kept = one.labels["retention"]
            withdrawn = withdrawal.withdraw_each(job.settings, [one.render_id], f"its retention was {kept}")
            chore.add(f"{one.render_id}: kept {kept}", size=size, done=job.apply and any(withdrawn))
    return chore


def _past(video: upkeep.Labelled, at: datetime) -> bool:
    kept = retention_of(video.labels)
    return kept is not None and video.ended_at is not None and video.ended_at + kept <= at


def unsigned(job: Job) -> Chore:
    """Sign what stays of videos that were withdrawn where nobody could sign."""
    chore = Chore("withdrawn videos without a tombstone")
    with transaction(job.settings.pg_dsn) as db:
        missing = tombstones.missing(db)
    for render_id in missing:
        chore.add(render_id, done=job.apply and tombstones.sign(job.settings, render_id))
    return chore


CHORES = (vanished, expired, unsigned)
