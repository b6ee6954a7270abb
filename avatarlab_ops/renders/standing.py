"""How renders stand, many at once: what streams of events and pages look at again and again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from avatarlab_ops.graph import STAGES
from avatarlab_ops.renders.status import StageStatus, ended, expected, stage_status
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import OPEN
from avatarlab_ops.stores.catalog import line, records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog.tables import Render

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, eq=False)
class Standing:
    """A render and its stages as one look found them; no two looks are equal."""

    render: Render
    stages: tuple[StageStatus, ...]
    expected_end: datetime | None

    @property
    def mark(self) -> tuple[Any, ...]:
        """Differs whenever somebody would want to be told."""
        return self.render.state, self.render.awaits_approval, self.render.withdrawn_at, self.stages


def since(settings: Settings, at: datetime) -> list[Standing]:
    """Every render at work, or that ended or was withdrawn at `at` or later; oldest first.

    Of those in line, however many, only what was ordered since.
    """
    at_work = m.Render.state.in_(OPEN) & ~(line.waits() & (m.Render.created_at < at))
    moved = sa.or_(at_work, m.Render.ended_at >= at, m.Render.withdrawn_at >= at)
    with transaction(settings.pg_dsn) as db:
        found = list(db.scalars(sa.select(m.Render).where(moved).order_by(m.Render.created_at)))
        return _standings(db, found)


def of(settings: Settings, render_id: str) -> Standing:
    """One render, however long ago it ended. Raises ReferenceRefused when there is none."""
    with transaction(settings.pg_dsn) as db:
        return _standings(db, [records.find(db, render_id)])[0]


def _standings(db: Session, renders: list[Render]) -> list[Standing]:
    ids = [render.id for render in renders]
    runs: dict[tuple[str, str], Any] = {
        (run.render_id, run.stage): run
        for run in db.scalars(sa.select(m.StageRun).where(m.StageRun.render_id.in_(ids)))
    }
    rows: dict[tuple[str, str], Any] = {
        (row.render_id, row.stage): row
        for row in db.scalars(sa.select(m.Progress).where(m.Progress.render_id.in_(ids)))
    }
    found = []
    for render in renders:
        places = [(render.id, name) for name in STAGES]
        stages = tuple(stage_status(place[1], runs.get(place), rows.get(place)) for place in places)
        over = ended({stage: run for (of, stage), run in runs.items() if of == render.id})
        ends = expected(render.predicted, render.ended_at, stages, over)["expected_end"]
        found.append(Standing(render, stages, ends))
    return found
