"""How a render ends: its state and the event that says so, in one transaction."""

from __future__ import annotations

from sqlalchemy.orm import Session

from avatarlab_ops import events
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Event
from avatarlab_ops.stores.catalog import records


def end(
    settings: Settings,
    db: Session,
    render_id: str,
    state: str,
    *,
    error: BaseException | str | None = None,
    stage: str | None = None,
) -> bool:
    """End a render as failed or cancelled, with the reason; False if it had ended already."""
    records.find(db, render_id)
    ended = records.end_render(db, render_id, state, error=error, stage=stage)
    if ended:
        events.tell(db, settings, render_id, Event(state))
    return ended
