"""What was noticed about renders: by `admit`, in the plan, and by stages, in the facts of their artifacts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops.canonical import Json
from avatarlab_ops.stores.catalog import tables as m

KEY = "warnings"  # of a plan, and of an artifact's facts


def told(plan: Json | None, facts: Iterable[Json]) -> list[str]:
    """Each note once, those of the plan first.

    >>> told({"warnings": ["a"]}, [{}, {"warnings": ["b", "a"]}])
    ['a', 'b']
    """
    return list(dict.fromkeys(note for part in (plan or {}, *facts) for note in part.get(KEY, ())))


def of_renders(db: Session, render_ids: Iterable[str | None]) -> dict[str, list[str]]:
    """Render to its notes, of those of `render_ids` that have any."""
    wanted = [render_id for render_id in render_ids if render_id]
    plans = db.execute(sa.select(m.Render.id, m.Render.plan).where(m.Render.id.in_(wanted)))
    made = sa.select(m.StageRun.render_id, m.Artifact.facts).join(
        m.Artifact, m.Artifact.fingerprint == m.StageRun.artifact
    )
    noted = made.where(m.StageRun.render_id.in_(wanted), _some(m.Artifact.facts))
    facts: dict[str, list[Json]] = {}
    for render_id, found in db.execute(noted.order_by(m.StageRun.started_at, m.StageRun.stage)):
        facts.setdefault(render_id, []).append(found)
    notes = {render_id: told(plan, facts.get(render_id, ())) for render_id, plan in plans}
    return {render_id: some for render_id, some in notes.items() if some}


def count(db: Session, bulk_id: str) -> int:
    """How many items of a bulk run have a render that has notes."""
    made = sa.select(m.StageRun.render_id).join(m.Artifact, m.Artifact.fingerprint == m.StageRun.artifact)
    by_stages = made.where(m.StageRun.render_id == m.Render.id, _some(m.Artifact.facts)).exists()
    items = sa.select(sa.func.count()).select_from(m.BulkItem)
    mine = items.join(m.Render, m.Render.id == m.BulkItem.render_id).where(m.BulkItem.bulk_id == bulk_id)
    return db.scalar(mine.where(sa.or_(_some(m.Render.plan), by_stages))) or 0


def _some(column: Any) -> sa.ColumnElement[bool]:
    """Whether a plan, or facts, hold a list of notes that is not empty."""
    return sa.func.coalesce(column[KEY].astext, "[]") != "[]"
