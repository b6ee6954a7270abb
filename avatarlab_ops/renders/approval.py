"""A person looks at a video before it is published, where AVATARLAB_APPROVAL says so.

Asked by the stage publish itself, so a render that needs nobody costs no task, no wait and no query. Who
waits holds no worker and no slot of a pool: the task is deferred until a channel tells of a decision.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from avatarlab_ops import environment, events
from avatarlab_ops.errors import ApprovalAwaited, ApprovalRefused
from avatarlab_ops.graph import PUBLISH, shown
from avatarlab_ops.renders.ending import end
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Event, ItemState, RenderState, StageState
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog.waiting import DECIDED


def check(settings: Settings, render_id: str) -> None:
    """Raise ApprovalAwaited for a video that somebody has to approve, and nobody has."""
    if environment.read().approval == "none":
        return
    with transaction(settings.pg_dsn) as db:
        render = records.find(db, render_id)
        wanted = render.approved_at is None and _is_wanted(db, render_id)
    if wanted:
        raise ApprovalAwaited(
            f"render {render_id} waits for approval: an operator approves or refuses it on its page of the "
            "Studio or by the HTTP API"
        )


def _is_wanted(db: Session, render_id: str) -> bool:
    """Whether this render is one that the deployment has looked at."""
    return environment.read().approval == "all" or db.scalars(_first(render_id).limit(1)).first() is not None


def _first(render_id: str) -> sa.Select[Any]:
    """Items of this render that no other of their bulk run with the same avatar and language comes before."""
    mine, other = m.BulkItem, aliased(m.BulkItem)

    def look(item: Any) -> tuple[Any, Any]:
        return item.request["avatar"]["uri"].astext, sa.func.coalesce(item.request["language"].astext, "")

    same = sa.tuple_(*look(other)) == sa.tuple_(*look(mine))
    before = sa.and_(other.bulk_id == mine.bulk_id, other.number < mine.number, same)
    alive = other.state.in_((ItemState.WAITING, ItemState.PUBLISHED))
    return sa.select(mine.number).where(mine.render_id == render_id, ~sa.exists().where(before, alive))


def ask(settings: Settings, db: Session, render_id: str) -> None:
    """Note that a video waits for a decision; who listens is told the first time only.

    Of a render that was cancelled meanwhile nothing is noted.
    """
    running = sa.select(m.Render).where(m.Render.id == render_id, m.Render.state == RenderState.RUNNING)
    render = db.scalars(running.with_for_update()).first()
    if render is None:
        return
    records.end_stage(db, render_id, PUBLISH.name, StageState.AWAITING)
    if render.approval_asked_at is None:
        render.approval_asked_at = records.now()
        db.flush()
        events.tell(db, settings, render_id, Event.AWAITING)


def approve(settings: Settings, render_id: str, by: str) -> bool:
    """Let a video be published; False when it does not wait for that."""
    with transaction(settings.pg_dsn) as db:
        change = sa.update(m.Render).where(m.Render.id == render_id, m.Render.awaits_approval)
        values = {"approved_by": by, "approved_at": records.now()}
        done = db.scalars(change.values(values).returning(m.Render.id)).first() is not None
        if done:
            _tell(db, render_id)
    return done


def refuse(settings: Settings, render_id: str, by: str, reason: str) -> bool:
    """End a render whose video is not to be published, with the reason; False when it does not wait."""
    with transaction(settings.pg_dsn) as db:
        asked = sa.select(m.Render.id).where(m.Render.id == render_id, m.Render.awaits_approval)
        if db.scalars(asked.with_for_update()).first() is None:
            return False
        error = ApprovalRefused(f"{by} refused to publish it: {reason}")
        done = end(settings, db, render_id, RenderState.FAILED, error=error, stage=PUBLISH.name)
        _tell(db, render_id)
    outbox.deliver(settings, render_id=render_id)
    return done


def waiting(settings: Settings) -> int:
    """How many videos wait for a decision."""
    with transaction(settings.pg_dsn) as db:
        undecided = sa.select(sa.func.count()).select_from(m.Render).where(m.Render.awaits_approval)
        return db.scalar(undecided) or 0


def made(settings: Settings, render_id: str, name: str = "video.") -> str | None:
    """Address of the video that waits for approval, or its file that begins so; None where none does."""
    with transaction(settings.pg_dsn) as db:
        if not records.exists(db, render_id) or not records.find(db, render_id).awaits_approval:
            return None
        there = shown(records.artifacts_of(db, render_id))
    file = next((one.files[known] for known, one in there.items() if known.startswith(name)), None)
    return f"s3://{settings.bucket_artifacts}/{file['key']}" if file else None


def _tell(db: Session, render_id: str) -> None:
    """Wake who waits, once this transaction is committed."""
    db.execute(sa.select(sa.func.pg_notify(DECIDED, render_id)))
