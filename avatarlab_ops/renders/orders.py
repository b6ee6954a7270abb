"""An ordered render: request, render, place in line and the order to begin its run are one transaction.

The order is held in the outbox until there is room for its DAG run and the line has come to it (`let_begin`);
then whoever can begin runs takes it from there (`plugins/avatarlab_web/starting.py`). The run's id follows
from the render's, so an order that is carried out twice begins one run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from avatarlab_ops import environment, events
from avatarlab_ops.errors import QueueFull, RenderCancelled, RequestInvalid
from avatarlab_ops.places import INTERACTIVE_RUN, RUN
from avatarlab_ops.renders import budget
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Event, Priority
from avatarlab_ops.stores import outbox, webhooks
from avatarlab_ops.stores.catalog import line, records, transaction
from avatarlab_ops.stores.catalog.line import Room
from avatarlab_ops.stores.catalog.tables import Render

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from avatarlab_ops.renders.estimate import Estimate


@dataclass(frozen=True)
class Ordered:
    """The render of an order. `replayed`: it was ordered before under the same idempotency key."""

    render_id: str
    replayed: bool


def placed(settings: Settings, request: AvatarRequest, *, caller: str) -> Ordered | None:
    """The render that the caller ordered before under this key. Raises KeyReused for another request."""
    with transaction(settings.pg_dsn) as db:
        return _known(db, request, caller)


def _known(db: Session, request: AvatarRequest, caller: str) -> Ordered | None:
    known = records.asked_before(db, caller, request.idempotency_key)
    if known is None:
        return None
    records.check_same(known, request)
    render = records.newest_render(db, known.id)
    if request.deadline not in (None, render.deadline):
        request.check_deadline()
        records.move_deadline(db, known.id, request.deadline)
    return Ordered(render.id, replayed=True)


def place(
    settings: Settings,
    request: AvatarRequest,
    *,
    caller: str,
    callback: str | None = None,
    priority: Priority = Priority.NORMAL,
    foreseen: Estimate | None = None,
) -> Ordered:
    """Order a render under its idempotency key, which is required; of two at once one is `replayed`.

    `callback`: an address that is told of its end; `foreseen`: what it will take. Raises KeyReused when the
    caller used the key for another request, RequestInvalid where nothing signs what the callback is sent,
    QueueFull where too many wait, BudgetExceeded where what is foreseen fits no longer. What was ordered
    before is found by `placed`, what can be refused at once is refused by `estimate`.
    """
    if request.idempotency_key is None:
        raise RequestInvalid("idempotency_key: is required to order a render")
    with transaction(settings.pg_dsn) as db:
        if known := _known(db, request, caller):  # ordered since `placed` was asked; it may even have ended
            return known
        line.one_by_one(db, caller)
        check_room(db, caller)
        if foreseen is not None:  # of several at once each saw, in its estimate, none of the others
            budget.check(db, caller, foreseen.predicted_gpu_s)
        fresh, priority = records.new_id(), line.granted(db, caller, priority)
        run_id = f"{INTERACTIVE_RUN if priority == Priority.INTERACTIVE else RUN}{fresh}"
        render_id = records.accept(db, request, run_id=run_id, caller=caller, render_id=fresh)
        if render_id == fresh:
            order = {"render_id": fresh, "conf": request.canonical(), "caller": caller}
            outbox.post(db, records.RUNS, run_id, order, fresh, held=True)
            work = (foreseen.predicted_s, foreseen.predicted_gpu_s) if foreseen else None
            line.enter(db, fresh, caller=caller, priority=priority, work=work)
            if callback is not None:
                webhooks.call_back(db, fresh, caller, callback)
            events.tell(db, settings, fresh, Event.ACCEPTED)
    return Ordered(render_id, replayed=render_id != fresh)


def check_room(db: Session, caller: str) -> None:
    """Refuse an order where too many wait, of everybody or of the caller.

    A caller may have as many in line as places are left, so however many one orders, another finds room.
    Raises QueueFull with the time at which one is expected to have left.
    """
    limit = environment.read().orders_waiting
    waiting, mine = line.count(db, caller)
    if mine < limit - waiting:
        return
    when = line.next_of(db, caller)
    left = f"about {when:%Y-%m-%d %H:%M:%S} UTC" if when else "nobody knows when, as nothing begins"
    raise QueueFull(
        f"{waiting} orders wait, {mine} of them yours; {limit} may (AVATARLAB_ORDERS_WAITING), and of one "
        f"caller as many as places are left. The next of {'yours' if mine else 'them'} begins {left}: ask "
        "again then",
        when,
    )


def let_begin(settings: Settings, room: Room) -> list[str]:
    """Let those orders begin for which there is room, first in line first; return their renders."""
    with transaction(settings.pg_dsn) as db:
        taken = line.take(db, room)
        if taken:
            outbox.release(db, records.RUNS, taken)
    return taken


def check_wanted(db: Session, run_id: str, render_id: str) -> None:
    """Raise RenderCancelled where a run begins another render than that of its order, which has ended."""
    begins = run_id.startswith((RUN, INTERACTIVE_RUN))
    ordered = db.get(Render, run_id.partition("-")[2]) if begins else None
    if ordered is not None and ordered.id != render_id:
        raise RenderCancelled(f"the render {ordered.id} was {ordered.state} before its run began")
