"""The span of a whole render, from its order to its end, sent once the end is on record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops import tracing
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import FINAL, Event
from avatarlab_ops.stores.catalog.tables import Render


def hear(
    db: Session, _settings: Settings, render: Render, event: Event, _files: Mapping[str, Mapping[str, Any]]
) -> None:
    """After the transaction in which a render ends, tell how long it took; nothing where no one listens."""
    if not tracing.wanted() or event.value not in FINAL:
        return
    began_ns, state = _ns(render.created_at), event.value
    code = render.error_code or state if event is not Event.PUBLISHED else None

    def told(_session: Session) -> None:
        tracing.tell(render.id, "render", began_ns, time.time_ns(), whole=True, error=code, state=state)

    sa.event.listen(db, "after_commit", told, once=True)


def _ns(when: datetime) -> int:
    return int(when.timestamp() * 1e9)
