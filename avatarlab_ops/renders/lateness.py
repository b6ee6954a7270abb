"""Which renders will not be made by their deadlines, and who is told of it, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Event

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from avatarlab_ops.stores.catalog.tables import Render

MOST = 500  # renders whose forecast one look makes, those due first: some 3 ms each


def runs_late(db: Session, render: Render) -> bool:
    """`status.is_late` by the forecast of this moment. A render that was not admitted yet has none."""
    if render.deadline is None:
        return False
    ends = status.expected_end(db, render) if render.ended_at is None else None
    return status.is_late(render.deadline, render.ended_at, ends)


def tell_late(settings: Settings) -> list[str]:
    """Tell, once a render, that its forecast has gone beyond its deadline; return the renders' ids.

    Safe to call at any time by any number of processes: each render is told by one of them.
    """
    from avatarlab_ops import events
    from avatarlab_ops.stores.catalog import deadlines, transaction

    with transaction(settings.pg_dsn) as db:
        late = [render.id for render in deadlines.untold(db, MOST) if runs_late(db, render)]
    told = []
    for render_id in late:
        with transaction(settings.pg_dsn) as db:
            if deadlines.mark_told(db, render_id):
                events.tell(db, settings, render_id, Event.LATE)
                told.append(render_id)
    return told
