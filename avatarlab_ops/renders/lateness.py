"""Which renders will not be made by their deadlines, and who is told of it, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from avatarlab_ops import events
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Event
from avatarlab_ops.stores.catalog import deadlines, line, transaction

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from avatarlab_ops.stores.catalog.tables import Render

MOST = 500  # renders whose forecast one look makes, those due first: some 3 ms each


def late(db: Session, renders: Sequence[Render]) -> list[Render]:
    """Renders among some open ones that are expected beyond their deadlines.

    A render in line is expected by its place; nothing is expected of one neither in line nor admitted.
    """
    in_line = line.ends(db, [render.id for render in renders])
    ends = {one.id: in_line.get(one.id) or status.expected_end(db, one) for one in renders}
    return [one for one in renders if status.is_late(one.deadline, one.ended_at, ends[one.id])]


def tell_late(settings: Settings) -> list[str]:
    """Tell, once a render, that its forecast has gone beyond its deadline; return the renders' ids.

    Safe to call at any time by any number of processes: each render is told by one of them.
    """
    with transaction(settings.pg_dsn) as db:
        found = [(render.id, render.deadline) for render in late(db, deadlines.untold(db, MOST))]
    told = []
    for render_id, judged in found:
        with transaction(settings.pg_dsn) as db:
            if deadlines.mark_told(db, render_id, judged):
                events.tell(db, settings, render_id, Event.LATE)
                told.append(render_id)
    return told
