"""A render that is ordered: request, render and the order to begin its DAG run are one transaction.

Whoever can begin runs takes the orders from the outbox (`plugins/avatarlab_web/starting.py`). The run's
id follows from the render's, so an order that is carried out twice begins one run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from avatarlab_ops.errors import RenderCancelled, RequestInvalid
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Event

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


RUN = "render-"  # and the render's id: the id of its run


@dataclass(frozen=True)
class Ordered:
    """The render of an order. `replayed`: it was ordered before under the same idempotency key."""

    render_id: str
    replayed: bool


def placed(settings: Settings, request: AvatarRequest, *, caller: str) -> Ordered | None:
    """The render that the caller ordered before under this key. Raises KeyReused for another request."""
    from avatarlab_ops.stores.catalog import transaction

    with transaction(settings.pg_dsn) as db:
        return _known(db, request, caller)


def _known(db: Session, request: AvatarRequest, caller: str) -> Ordered | None:
    from avatarlab_ops.stores.catalog import records

    known = records.asked_before(db, caller, request.idempotency_key)
    if known is None:
        return None
    records.check_same(known, request)
    return Ordered(records.newest_render(db, known.id).id, replayed=True)


def place(settings: Settings, request: AvatarRequest, *, caller: str, callback: str | None = None) -> Ordered:
    """Order a render under its idempotency key, which is required; of two at once one is `replayed`.

    `callback`: an address that is told of its end. Raises KeyReused when the caller used the key for another
    request, RequestInvalid where nothing signs what the callback is sent. What was ordered before is found by
    `placed`, what can be refused at once is refused by `estimate`.
    """
    from avatarlab_ops import events
    from avatarlab_ops.stores import outbox, webhooks
    from avatarlab_ops.stores.catalog import records, transaction

    if request.idempotency_key is None:
        raise RequestInvalid("idempotency_key: is required to order a render")
    with transaction(settings.pg_dsn) as db:
        if known := _known(db, request, caller):  # ordered since `placed` was asked; it may even have ended
            return known
        fresh = records.new_id()
        run_id = f"{RUN}{fresh}"
        render_id = records.accept(db, request, run_id=run_id, caller=caller, render_id=fresh)
        if render_id == fresh:
            order = {"render_id": fresh, "conf": request.canonical(), "caller": caller}
            outbox.post(db, records.RUNS, run_id, order, fresh)
            if callback is not None:
                webhooks.call_back(db, fresh, caller, callback)
            events.tell(db, settings, fresh, Event.ACCEPTED)
    return Ordered(render_id, replayed=render_id != fresh)


def check_wanted(db: Session, run_id: str, render_id: str) -> None:
    """Raise RenderCancelled where a run begins another render than that of its order, which has ended."""
    from avatarlab_ops.stores.catalog.tables import Render

    ordered = db.get(Render, run_id.removeprefix(RUN)) if run_id.startswith(RUN) else None
    if ordered is not None and ordered.id != render_id:
        raise RenderCancelled(f"the render {ordered.id} was {ordered.state} before its run began")
