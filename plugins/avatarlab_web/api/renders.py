"""Renders: order, look, list, cancel, make anew with changes, withdraw."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Body, Header, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field, HttpUrl

from avatarlab_ops import pipeline, tracing
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import ReferenceRefused, RequestInvalid
from avatarlab_ops.lineage import query
from avatarlab_ops.renders import listing, orders, status, withdrawal
from avatarlab_ops.renders.estimate import estimate
from avatarlab_ops.request import OF_ONE_ORDER, AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Priority, RenderState
from avatarlab_web import files, starting
from avatarlab_web.api import views
from avatarlab_web.api.access import Author, Caller, Reader
from avatarlab_web.api.problems import ENDED, MISSING, ORDERING, Refusal
from avatarlab_web.stores import Stores

MOST = 200  # renders a page
router = APIRouter(tags=["renders"])
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Names this order among yours, for as long as its record is kept: the same key gives the "
        "same render again, never a second one. 1 to 200 letters, digits, '_', '.', ':', '-'.",
    ),
]


class Order(AvatarRequest):
    """A request, and who is to be told of its end."""

    callback_url: HttpUrl | None = Field(
        default=None,
        description="Told once this render waits for approval, is late, published, withdrawn or cancelled, "
        "or has failed, as a webhook is; signed with the secret of your webhook without a url.",
    )
    priority: Literal["interactive", "normal", "bulk"] = Field(
        default="normal",
        description="interactive: somebody is watching (four open at a time, what is ordered beyond is "
        "normal); normal; bulk: no hurry. docs/operations.md says who begins when.",
    )

    def request(self, key: str | None = None) -> AvatarRequest:
        """What is to be made, under this key or its own; whom to tell, and when, is no part of it."""
        asked = self.model_dump(mode="json", exclude={"callback_url", "priority"})
        return AvatarRequest.parse(asked | ({"idempotency_key": key} if key else {}))


@router.post("/renders", status_code=202, responses=ORDERING)
def create(
    asked: Order,
    who: Author,
    *,
    stores: Stores,
    request: Request,
    response: Response,
    background: BackgroundTasks,
    key: Key = None,
) -> views.Accepted:
    """Order a render. Refused at once for all that is known without looking at a new object."""
    return _order(stores, asked, key, who, request=request, response=response, background=background)


@router.post("/renders/{render_id}/regenerate", status_code=202, responses=ORDERING | MISSING)
def regenerate(
    render_id: str,
    who: Author,
    *,
    stores: Stores,
    request: Request,
    response: Response,
    background: BackgroundTasks,
    changes: Annotated[Json | None, Body(description="JSON merge patch (RFC 7396) of the request.")] = None,
    key: Key = None,
) -> views.Accepted:
    """Order the same request again, with changes: null takes a field back to its default."""
    _, listed = look_up(stores, render_id)
    before = {name: value for name, value in listed.request.body.items() if name not in OF_ONE_ORDER}
    asked = Order.parse(merged(before, changes or {}))
    return _order(stores, asked, key, who, request=request, response=response, background=background)


def keyed(asked: Order, key: str | None) -> AvatarRequest:
    """The request under the key of the header, which may be a quoted string as RFC 8941 writes it."""
    given = needed_key(key or asked.idempotency_key)
    if given != (asked.idempotency_key or given):
        raise RequestInvalid("idempotency_key: differs from the header Idempotency-Key; give one of them")
    return asked.request(given)


def needed_key(key: str | None) -> str:
    """The key without quotes. Raises Refusal (400) where there is none."""
    given = (key or "").strip().removeprefix('"').removesuffix('"')
    if not given:
        raise Refusal(
            400,
            "idempotency_key_missing",
            "send the header Idempotency-Key with a name of your own for this order",
        )
    return given


def merged(before: Any, changes: Any) -> Any:
    """JSON merge patch, RFC 7396.

    >>> merged({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(changes, dict):
        return changes
    result = dict(before) if isinstance(before, dict) else {}
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _order(
    stores: Settings,
    order: Order,
    key: str | None,
    who: Caller,
    *,
    request: Request,
    response: Response,
    background: BackgroundTasks,
) -> views.Accepted:
    began_ns = time.time_ns()
    asked, callback = keyed(order, key), str(order.callback_url) if order.callback_url else None
    known = orders.placed(stores, asked, caller=who.name)
    foreseen = None if known else estimate(stores, asked, caller=who.name, looking=False)
    ordered = known or orders.place(
        stores, asked, caller=who.name, callback=callback,
        priority=Priority[order.priority.upper()], foreseen=foreseen,
    )  # fmt: skip
    starting.let_begin(stores)
    # After the answer; should this process die first, another begins the run.
    background.add_task(starting.start, stores)
    if not ordered.replayed:
        times = (ordered.render_id, f"{request.method} /renders", began_ns, time.time_ns())
        background.add_task(tracing.tell, *times, came_from=request.headers.get("traceparent"))
    shown = show(stores, request, ordered.render_id)
    response.headers["Location"] = shown.links.self
    if ordered.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return views.Accepted(**shown.model_dump(), estimate=views.Estimate.of(foreseen) if foreseen else None)


@router.get("/renders")
def find(
    _who: Reader,
    stores: Stores,
    *,
    request: Request,
    state: Annotated[list[RenderState] | None, Query(description="One of these; repeatable.")] = None,
    label: Annotated[list[str] | None, Query(description="NAME:VALUE; all that are given.")] = None,
    avatar: Annotated[str | None, Query(description="s3:// address of the likeness.")] = None,
    caller: Annotated[str | None, Query(description="Whose.")] = None,
    since: Annotated[datetime | None, Query(description="Accepted at this time or later.")] = None,
    awaits_approval: Annotated[bool, Query(description="Only those that an operator has to let go.")] = False,
    cursor: Annotated[str | None, Query(description="Of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
) -> views.RenderPage:
    """Renders that fit all that is given, newest first: whoever ordered them, through whichever door."""
    labels = tuple(_label(text) for text in label or ())
    wanted = listing.Wanted(
        tuple(state or ()), labels, avatar, caller, since, awaits_approval=awaits_approval
    )
    page = listing.page(stores, wanted, cursor=cursor, limit=limit)
    root = views.base(request)
    return views.RenderPage(renders=[views.summary(root, one) for one in page.renders], cursor=page.cursor)


def _label(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise RequestInvalid(f"label: {text!r} is not of the form NAME:VALUE")
    return name, value


@router.get("/renders/{render_id}", responses=MISSING)
def read(render_id: str, _who: Reader, stores: Stores, request: Request) -> views.Render:
    """All that is known of a render, until its files can be fetched from its links."""
    return show(stores, request, render_id)


@router.post("/renders/{render_id}/cancel", responses=MISSING | ENDED)
def cancel(render_id: str, who: Author, stores: Stores, request: Request) -> views.Render:
    """End a render that has not ended; running stages stop at their next report."""
    known, listed = look_up(stores, render_id)
    who.require_own(listed.request.caller, f"render {render_id}")
    if known.state in (RenderState.PUBLISHED, RenderState.FAILED):
        raise Refusal(409, "render_ended", f"render {render_id} had ended before: {known.state}")
    reason = f"cancelled by {who.name}"
    pipeline.cancel(stores, render_id, reason)
    if known.run_id:
        starting.stop(known.run_id)
    return show(stores, request, render_id)


@router.delete("/renders/{render_id}/output", responses=MISSING | ENDED)
def withdraw(
    render_id: str,
    who: Author,
    stores: Stores,
    request: Request,
    reason: views.Words = "withdrawn by its owner",
) -> views.Render:
    """Show a published video no longer, in any version; its manifest stays and says why."""
    known, listed = look_up(stores, render_id)
    who.require_own(listed.request.caller, f"render {render_id}")
    if known.state != RenderState.PUBLISHED:
        raise Refusal(
            409, "not_published", f"render {render_id} is {known.state}; there is no video to withdraw"
        )
    withdrawal.withdraw(stores, render_id, reason)
    return show(stores, request, render_id)


@router.get("/renders/{render_id}/lineage", responses=MISSING)
def lineage(render_id: str, _who: Reader, stores: Stores) -> Json:
    """What the video was made of: inputs, parameters, engines, weights, code, every artifact between."""
    look_up(stores, render_id)
    return query.trace(stores, render_id)


@router.get("/renders/{render_id}/files/{name}", status_code=307, responses=MISSING)
def file(
    render_id: str,
    name: str,
    _who: Reader,
    stores: Stores,
    save: Annotated[bool, Query(description="A browser saves it rather than shows it.")] = False,
) -> RedirectResponse:
    """Lead to one file of a published video, by an address of the object store that soon expires."""
    known, listed = look_up(stores, render_id)
    if name not in listed.files:
        raise Refusal(404, "not_found", f"render {render_id} ({known.state}) shows no file {name!r}")
    return RedirectResponse(files.link(stores, render_id, name, save=save))


def show(stores: Settings, request: Request, render_id: str) -> views.Render:
    """A render as `GET /renders/{id}` shows it."""
    known, listed = look_up(stores, render_id)
    return views.whole(views.base(request), listed, known)


def look_up(stores: Settings, render_id: str) -> Any:
    """(status, record) of a render. Raises Refusal (404)."""
    try:
        return status.of(stores, render_id), listing.one(stores, render_id)
    except ReferenceRefused as error:
        raise Refusal(404, "not_found", f"there is no render {render_id!r}") from error
