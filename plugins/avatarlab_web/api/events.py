"""Progress as server-sent events: what `GET /renders/{id}` tells, pushed whenever it has changed.

An event's id is the time of the look at the catalog that found it, so that any api-server resumes a stream
after a restart: with `Last-Event-ID` it begins with all that has ended since, within bounds. Each event tells
how a render stands, not what happened, so none is missed where several changes lie within one look.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from avatarlab_ops.renders import standing
from avatarlab_ops.renders.standing import Standing
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import FINAL
from avatarlab_web.api import views
from avatarlab_web.api.access import Reader
from avatarlab_web.api.problems import MISSING, Refusal
from avatarlab_web.api.renders import look_up
from avatarlab_web.hub import COALESCED_S, KEPT, hub
from avatarlab_web.stores import Stores

LAG = timedelta(seconds=COALESCED_S)
LONGEST = timedelta(minutes=10)  # then the browser comes again, and its login is checked anew
CAUGHT_UP = timedelta(minutes=15)  # who was away for longer is told what is open, as whoever comes first is
MOST = 1000  # renders that are caught up on
SETTLING = timedelta(seconds=5)  # a transaction may become visible this long after the time it wrote
RETRY_MS = 1000
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events `render` with a Standing as data.", "content": {"text/event-stream": {}}},
}
Last = Annotated[str | None, Header(alias="Last-Event-ID", description="Of the last event received.")]
router = APIRouter(tags=["events"])


@router.get("/events", response_class=EventSourceResponse, responses=STREAM)
async def all_renders(_who: Reader, stores: Stores, request: Request, last: Last = None) -> Response:
    """One stream of all renders: first those that are open, then each whenever it has changed."""
    missed = await asyncio.to_thread(_missed, stores, _time(last))
    return _response(_events(stores, views.base(request), missed))


@router.get("/renders/{render_id}/events", response_class=EventSourceResponse, responses=STREAM | MISSING)
async def one_render(
    render_id: str, _who: Reader, stores: Stores, request: Request, last: Last = None
) -> Response:
    """The stream of one render; it ends with the render. Asked again afterwards, there is nothing (204)."""
    await asyncio.to_thread(look_up, stores, render_id)
    now = await asyncio.to_thread(standing.of, stores, render_id)
    told, ended = _time(last), now.render.withdrawn_at or now.render.ended_at
    if told and now.render.state in FINAL and ended and told > ended + SETTLING:
        return Response(status_code=204)
    return _response(_events(stores, views.base(request), [now], only=render_id))


def _missed(stores: Settings, begun: datetime | None) -> list[Standing]:
    """How everything stands that the hub no longer shows and that a stream which was cut off then missed."""
    if begun is None or not KEPT - SETTLING < datetime.now(UTC) - begun <= CAUGHT_UP:
        return []
    return standing.since(stores, begun - SETTLING, MOST)


def _time(last: str | None) -> datetime | None:
    if last is None:
        return None
    try:
        return datetime.fromisoformat(last).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # the latter: in no year of UTC
        raise Refusal(400, "bad_event_id", f"Last-Event-ID {last!r} was given by no event") from error


def _response(events: AsyncIterator[bytes]) -> EventSourceResponse:
    return EventSourceResponse(events)


async def _events(
    stores: Settings, root: str, first: list[Standing], *, only: str | None = None
) -> AsyncIterator[bytes]:
    """`first`, then what changes, a look at a time; until the one render has ended or too long."""
    told: dict[str, Any] = {one.render.id: one.mark for one in first}
    begun = datetime.now(UTC)
    if first:
        yield b"".join(_event(root, begun, one) for one in first)
    if only and first[0].render.state in FINAL:
        return
    async for at, found in hub(stores).looks():
        shown = [one for one in found if only in (None, one.render.id)]
        if at - begun < LAG:  # the hub may still tell what was before `first`
            shown = [one for one in shown if one.render.id not in told or one.render.state in FINAL]
        if news := b"".join(_event(root, at, one) for one in shown if told.get(one.render.id) != one.mark):
            yield news
        told = (told if at - begun < LAG else {}) | {one.render.id: one.mark for one in shown}
        if at - begun > LONGEST or (only and any(one.render.state in FINAL for one in shown)):
            return


@lru_cache(maxsize=1024)  # every stream tells the same: written out once a look, not once a stream
def _event(root: str, at: datetime, one: Standing) -> bytes:
    data = views.standing(root, one).model_dump_json()
    return ServerSentEvent(data, event="render", id=at.isoformat(), retry=RETRY_MS).encode()
