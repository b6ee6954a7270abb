"""What housekeeping asks and changes. Every function works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops.states import AT_WORK, OPEN, ItemState, RenderState
from avatarlab_ops.stores.catalog import line, records
from avatarlab_ops.stores.catalog import tables as m

_RUNNING = m.Render.state.in_(OPEN)
_KEPT = sa.and_(m.Render.state == RenderState.PUBLISHED, m.Render.withdrawn_at.is_(None))


def clock(db: Session) -> datetime:
    """The time by PostgreSQL's machine."""
    told: datetime = db.scalars(sa.select(sa.func.clock_timestamp())).one()
    return told


@dataclass(frozen=True)
class Spare:
    """An artifact that nothing kept was made from."""

    fingerprint: str
    bytes: int
    used_at: datetime


def spare_artifacts(db: Session, before: datetime) -> list[Spare]:
    """Artifacts that nothing running or kept needs, unused since `before`, longest unused first.

    First those that no such render's own stage led to, a few; then, from these few only, whatever was made
    from them.
    """
    used = sa.select(m.StageRun.artifact).join(m.Render).where(sa.or_(_RUNNING, _KEPT))
    mine = sa.and_(m.Artifact.evicted_at.is_(None), m.Artifact.used_at < before)
    own = used.where(m.StageRun.artifact == m.Artifact.fingerprint).exists()
    loose = sa.select(m.Artifact).where(mine, ~own).cte("loose")
    users = sa.select(loose.c.fingerprint.label("spare"), loose.c.fingerprint).cte("users", recursive=True)
    further = sa.select(users.c.spare, m.ArtifactInput.artifact)
    users = users.union(further.join(m.ArtifactInput, m.ArtifactInput.source == users.c.fingerprint))
    needed = sa.select(users.c.spare).join(m.StageRun, m.StageRun.artifact == users.c.fingerprint)
    needed = needed.join(m.Render).where(sa.or_(_RUNNING, _KEPT), users.c.spare == loose.c.fingerprint)
    rows = sa.select(loose.c.fingerprint, loose.c.bytes, loose.c.used_at).where(~needed.exists())
    ordered = rows.order_by(loose.c.used_at, loose.c.fingerprint)
    return [Spare(row.fingerprint, row.bytes, row.used_at) for row in db.execute(ordered)]


def stored_bytes(db: Session) -> int:
    """Bytes of all artifacts in the store."""
    total = sa.select(sa.func.coalesce(sa.func.sum(m.Artifact.bytes), 0))
    return int(db.scalar(total.where(m.Artifact.evicted_at.is_(None))) or 0)


def lock_artifact(db: Session, fingerprint: str) -> m.Artifact | None:
    """The record, locked until the transaction ends: a stage that finds the artifact meanwhile waits."""
    query = sa.select(m.Artifact).where(m.Artifact.fingerprint == fingerprint)
    return db.scalars(query.with_for_update(), execution_options={"populate_existing": True}).first()


def is_needed(db: Session, fingerprint: str) -> bool:
    """Whether a running render or a kept video was made from this artifact, at first or second hand."""
    users = sa.select(sa.literal(fingerprint, sa.Text).label("fingerprint")).cte("users", recursive=True)
    further = sa.select(m.ArtifactInput.artifact).where(m.ArtifactInput.source == users.c.fingerprint)
    users = users.union(further)
    query = sa.select(m.StageRun.render_id).join(m.Render).join(
        users, users.c.fingerprint == m.StageRun.artifact
    )  # fmt: skip
    return db.scalars(query.where(sa.or_(_RUNNING, _KEPT)).limit(1)).first() is not None


def made_from(db: Session, sha256: str, *, evicted: bool = False) -> list[str]:
    """Artifacts in the store, or `evicted`, that were made from this object, at first or second hand."""
    first = sa.select(m.ArtifactInput.artifact.label("fingerprint")).where(m.ArtifactInput.sha256 == sha256)
    made = first.cte("made", recursive=True)
    further = sa.select(m.ArtifactInput.artifact).where(m.ArtifactInput.source == made.c.fingerprint)
    made = made.union(further)
    kept = sa.select(m.Artifact.fingerprint).join(made, made.c.fingerprint == m.Artifact.fingerprint)
    return list(db.scalars(kept.where(m.Artifact.evicted_at.is_not(None) == evicted)))


def artifacts(db: Session, fingerprints: Iterable[str]) -> dict[str, m.Artifact]:
    """Records by fingerprint."""
    rows = db.scalars(sa.select(m.Artifact).where(m.Artifact.fingerprint.in_(list(fingerprints))))
    return {row.fingerprint: row for row in rows}


def claimed_artifacts(db: Session, before: datetime) -> list[str]:
    """Fingerprints of artifacts that the catalog says are in the store, written before that moment."""
    mine = sa.and_(m.Artifact.evicted_at.is_(None), m.Artifact.created_at < before)
    return list(db.scalars(sa.select(m.Artifact.fingerprint).where(mine)))


def idle_renders(db: Session, before: datetime) -> list[m.Render]:
    """Renders that have not ended and show no sign of work since `before`, oldest first.

    None that stands in line, nor one whose turn has come and whose run is still to be begun.
    """
    stages = sa.select(sa.func.max(sa.func.greatest(m.StageRun.started_at, m.StageRun.ended_at))).where(
        m.StageRun.render_id == m.Render.id
    )
    reports = sa.select(sa.func.max(m.Progress.updated_at)).where(m.Progress.render_id == m.Render.id)
    begun = sa.select(m.RenderOrder.begun_at).where(m.RenderOrder.render_id == m.Render.id)
    last = sa.func.greatest(
        m.Render.created_at, begun.scalar_subquery(), stages.scalar_subquery(), reports.scalar_subquery()
    )
    unbegun = sa.exists().where(
        m.Outbox.render_id == m.Render.id, m.Outbox.topic == records.RUNS,
        m.Outbox.delivered_at.is_(None), m.Outbox.dead_at.is_(None),
    )  # fmt: skip
    idle = sa.select(m.Render).where(_RUNNING, last < before, ~line.waits(), ~unbegun)
    return list(db.scalars(idle.order_by(m.Render.created_at)))


def bulk_runs_of(db: Session, render_id: str) -> list[m.BulkRun]:
    """The bulk runs that wait for a render."""
    mine = sa.and_(m.BulkItem.render_id == render_id, m.BulkItem.state == ItemState.WAITING)
    return list(db.scalars(sa.select(m.BulkRun).join(m.BulkItem).where(mine)))


def has_worked(db: Session, bulk_id: str, since: datetime) -> bool:
    """Whether a bulk run was planned, or any stage of its items was begun or ended, since then."""
    planned = sa.select(m.BulkRun.id).where(m.BulkRun.id == bulk_id, m.BulkRun.created_at >= since)
    at_work = sa.func.greatest(m.StageRun.started_at, m.StageRun.ended_at) >= since
    worked = sa.select(m.BulkItem.bulk_id).join(m.StageRun, m.StageRun.render_id == m.BulkItem.render_id)
    either = planned.union_all(worked.where(m.BulkItem.bulk_id == bulk_id, at_work))
    return db.scalars(either.limit(1)).first() is not None


def try_alone(db: Session, number: int) -> bool:
    """Take the lock of this number until the transaction ends; False when anyone has a share of it."""
    return bool(db.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(number))))


@dataclass(frozen=True)
class Labelled:
    """A kept video that carries the label `retention`."""

    render_id: str
    ended_at: datetime | None
    labels: dict[str, str]


def labelled(db: Session) -> list[Labelled]:
    """Kept videos that carry the label `retention`, without what else is known of them: they may be many."""
    labels = m.Request.body["labels"]
    query = sa.select(m.Render.id, m.Render.ended_at, labels).join(m.Request)
    rows = db.execute(query.where(_KEPT, labels.has_key("retention")))
    return [Labelled(row[0], row[1], dict(row[2])) for row in rows]


# Who asks for many comes by pages (housekeeping.paging): a query takes at most 65,535 parameters.
def renders(db: Session, render_ids: Iterable[str]) -> dict[str, m.Render]:
    """Renders by id."""
    rows = db.scalars(sa.select(m.Render).where(m.Render.id.in_(list(render_ids))))
    return {row.id: row for row in rows}


def files_of(db: Session, render_ids: Iterable[str]) -> dict[str, dict[str, m.PublishedFile]]:
    """Render id to published files by name."""
    found: dict[str, dict[str, m.PublishedFile]] = {}
    for file in db.scalars(sa.select(m.PublishedFile).where(m.PublishedFile.render_id.in_(list(render_ids)))):
        found.setdefault(file.render_id, {})[file.name] = file
    return found


def published_ids(db: Session, before: datetime) -> list[str]:
    """Renders published before that moment, withdrawn ones too."""
    done = sa.and_(m.Render.state == RenderState.PUBLISHED, m.Render.ended_at < before)
    return list(db.scalars(sa.select(m.Render.id).where(done).order_by(m.Render.id)))


def stale_progress(before: datetime) -> sa.ColumnElement[bool]:
    """Which progress rows belong to renders that ended before that moment."""
    ended = sa.select(m.Render.id).where(m.Render.ended_at < before)
    return m.Progress.render_id.in_(ended)


def left_stages(before: datetime) -> sa.ColumnElement[bool]:
    """Which stage rows still say running though their render ended before that moment."""
    ended = sa.select(m.Render.id).where(m.Render.ended_at < before)
    return sa.and_(
        m.StageRun.state.in_(AT_WORK),
        m.StageRun.render_id.in_(ended),
    )


def counted(db: Session, table: type[m.Base], rows: sa.ColumnElement[bool] | sa.TextClause) -> int:
    """How many rows there are."""
    return int(db.scalar(sa.select(sa.func.count()).select_from(table).where(rows)) or 0)
