"""How renders stand, many at once: what streams of events and pages look at again and again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import defer

from avatarlab_ops.graph import STAGES
from avatarlab_ops.renders.status import StageStatus, ended, expected, stage_status
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import OPEN
from avatarlab_ops.stores.catalog import line, records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog.tables import Render

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from sqlalchemy.orm.interfaces import LoaderOption


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


def since(settings: Settings, at: datetime, most: int | None = None) -> list[Standing]:
    """Every render at work, or that ended or was withdrawn at `at` or later; oldest first.

    Of those in line, however many, only what was ordered since. Of more than `most` those ordered last.
    """
    at_work = m.Render.state.in_(OPEN) & ~(line.waits() & (m.Render.created_at < at))
    moved = sa.or_(at_work, m.Render.ended_at >= at, m.Render.withdrawn_at >= at)
    query = sa.select(m.Render).where(moved).order_by(m.Render.created_at.desc()).limit(most)
    with transaction(settings.pg_dsn) as db:
        return _standings(db, list(db.scalars(query.options(*_unread())))[::-1])


def of(settings: Settings, render_id: str) -> Standing:
    """One render, however long ago it ended. Raises ReferenceRefused when there is none."""
    with transaction(settings.pg_dsn) as db:
        return _standings(db, [records.find(db, render_id)])[0]


def some(settings: Settings, render_ids: Sequence[str]) -> dict[str, Standing]:
    """These renders by their ids, in three queries however many; those that nobody knows are left out."""
    query = sa.select(m.Render).where(m.Render.id.in_(render_ids)).options(*_unread())
    with transaction(settings.pg_dsn) as db:
        return {one.render.id: one for one in _standings(db, list(db.scalars(query)))}


def _unread() -> tuple[LoaderOption, ...]:
    """The largest part of a row, which nobody here needs."""
    return defer(m.Render.plan), defer(m.Render.measures)


def _standings(db: Session, renders: list[Render]) -> list[Standing]:
    ids = [render.id for render in renders]
    runs = _by_render(db.scalars(sa.select(m.StageRun).where(m.StageRun.render_id.in_(ids))))
    rows = _by_render(db.scalars(sa.select(m.Progress).where(m.Progress.render_id.in_(ids))))
    return [_standing(render, runs[render.id], rows[render.id]) for render in renders]


def _by_render(found: Iterable[Any]) -> defaultdict[str, dict[str, Any]]:
    """Stage runs or rows of progress: by render, then by stage."""
    sorted_out: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for one in found:
        sorted_out[one.render_id][one.stage] = one
    return sorted_out


def _standing(render: Render, runs: dict[str, Any], rows: dict[str, Any]) -> Standing:
    stages = tuple(stage_status(name, runs.get(name), rows.get(name)) for name in STAGES)
    foreseen = expected(render.predicted, render.ended_at, stages, ended(runs))
    return Standing(render, stages, foreseen["expected_end"])
