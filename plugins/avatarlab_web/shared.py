"""What people without a login may see: one video, or all that was made on one consent.

Every address below `/avatarlab/shared/` begins with a signed link (`avatarlab_ops.trust.shares`). Whatever is
wrong with one, the answer is the same, so that it tells a stranger nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Form, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from avatarlab_ops.errors import AvatarlabError, InputError, ReferenceRefused, TransientError
from avatarlab_ops.renders import listing
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import RenderState
from avatarlab_ops.stores.catalog import consents, records, transaction
from avatarlab_ops.stores.catalog.tables import Share
from avatarlab_ops.trust import consent, shares
from avatarlab_web import files
from avatarlab_web.api.consents import take_back
from avatarlab_web.api.problems import AGAIN_S
from avatarlab_web.pace import Pace
from avatarlab_web.published import NAMES, PASSED
from avatarlab_web.stores import Stores
from avatarlab_web.studio import page as studio
from avatarlab_web.studio.videos import card, spoken

MASKED = "/avatarlab/shared/***"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self' {store}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
log = logging.getLogger(__name__)
WATCHED_S = 4 * 3600  # for a video of an hour and a half with pauses: no script of the page asks for it again
REASON = "the person shown withdrew it, by their own link"


class _Route(APIRoute):
    """Answers what our own errors say in words for strangers: nothing of stores and addresses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own, and what it answers to an error that is nobody's defect."""
        handler = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handler(request)
            except AvatarlabError as error:
                return _failed(request, error)
            except RequestValidationError:
                return _wrong(request, 422)
            except HTTPException as refusal:
                return _wrong(request, refusal.status_code)

        return told


router = APIRouter(prefix="/shared", include_in_schema=False, route_class=_Route)
pace = Pace(240, 60.0)  # calls a minute of one link, in this process


class NoSuchLinkError(Exception):
    """It is wrong, or altered, or over, or leads to nothing that is shown."""


class TooManyError(Exception):
    """A link is used too often. Its value: seconds to wait."""


def opened(link: str, stores: Stores) -> Share:
    """What a link leads to."""
    found = shares.read(stores, link)
    if found is None:
        raise NoSuchLinkError
    if wait_s := pace.take(found.id):
        raise TooManyError(wait_s)
    return found


Opened = Annotated[Share, Depends(opened)]


@router.get("/studio.css")
def style() -> Response:
    """How the pages look: the Studio's own sheet, which says nothing of anybody."""
    return FileResponse(studio.HERE / "static" / "studio.css", headers={"X-Content-Type-Options": "nosniff"})


@router.api_route("/{link}", methods=["GET", "HEAD"])
def page(
    link: str,
    found: Opened,
    request: Request,
    stores: Stores,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The page of a video, or of the person shown."""
    here = f"{request.scope['root_path']}/shared/{link}"
    if found.kind == "video":
        one = shown(stores, found, found.target)
        return answer(request, "shared_video.html", here=here, video=_video(one), until=found.expires_at)
    return _person(request, stores, found, here, cursor)


def _video(one: listing.Listed) -> dict[str, Any]:
    said = {"said": spoken(one.request.body), "language": (one.request.body.get("language") or "en")[:2]}
    narrated = bool(one.request.body.get("narration", {}).get("uri"))
    return card(one) | said | {"captions": "captions.vtt" in one.files, "narrated": narrated}


def _person(request: Request, stores: Settings, found: Share, here: str, cursor: str | None) -> Response:
    with transaction(stores.pg_dsn) as db:
        record = consents.find(db, found.target)
        _, on_view = consents.counted_on(db, found.target)
        others = [one.id for one in consents.of_material(db, record.kind, record.material)
                  if one.id != record.id and consent.state_of(one) == "valid"]  # fmt: skip
    page = listing.page(
        stores, listing.Wanted((RenderState.PUBLISHED,), consent=record.id), cursor=cursor, limit=12
    )
    return answer(
        request, "shared_person.html", here=here, record=record, state=consent.state_of(record),
        videos=[_video(one) for one in page.renders], cursor=page.cursor, shown=on_view, others=len(others),
        until=found.expires_at,
    )  # fmt: skip


@router.post("/{link}/withdraw")
def withdraw(
    link: str,
    found: Opened,
    request: Request,
    stores: Stores,
    *,
    sure: Annotated[Literal["yes"], Form()],  # noqa: ARG001 (the form asks for it)
    videos: Annotated[bool, Form()] = False,
) -> Response:
    """End the consent as its owner would: what runs on it stops; with `videos` what was published goes."""
    if found.kind != "consent":
        raise NoSuchLinkError
    take_back(stores, found.target, REASON, withdraw=videos)
    return RedirectResponse(f"{request.scope['root_path']}/shared/{link}", 303)


@router.api_route("/{link}/{render_id}/{file}", methods=["GET", "HEAD"])
def file(
    found: Opened, stores: Stores, render_id: str, file: Literal["video", "captions", "poster"]
) -> Response:
    """One file of a video: small ones through this server, the video by an address that soon expires."""
    one = shown(stores, found, render_id)
    name = next((name for name in NAMES[file] if name in one.files), None)
    if name is None:
        raise NoSuchLinkError
    if name in PASSED:
        return Response(files.read(stores, one.render.id, name), 200, _headers(), PASSED[name])
    left_s = int((found.expires_at - records.now()).total_seconds())
    seen = files.link(stores, one.render.id, name, expires_s=max(1, min(left_s, WATCHED_S)))
    return RedirectResponse(seen, headers=_headers())


def shown(stores: Settings, found: Share, render_id: str) -> listing.Listed:
    """A video that this link shows. Raises NoSuchLinkError for every other, and for one that is gone."""
    there = listing.some(stores, [found.target if found.kind == "video" else render_id.replace("\0", "")])
    for one in there:
        allowed = one.render.id == render_id and _covers(stores, found, render_id)
        if allowed and one.render.state == RenderState.PUBLISHED and one.render.withdrawn_at is None:
            return one
    raise NoSuchLinkError


def _covers(stores: Settings, found: Share, render_id: str) -> bool:
    if found.kind == "video":
        return found.target == render_id
    with transaction(stores.pg_dsn) as db:
        return consents.relies(db, render_id, found.target)


def answer(request: Request, template: str, status_code: int = 200, **values: Any) -> Response:
    """A page without scripts, that loads this server's sheet and pictures and the store's video only."""
    html = studio.made(template, base=request.scope["root_path"], **values)
    return Response(html, status_code, _headers(), "text/html; charset=utf-8")


def _headers() -> dict[str, str]:
    return studio.headers(POLICY) | {"X-Robots-Tag": "noindex"}


class Masked:
    """Keeps links out of the server's log, which is written of the outer scope after the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by what was asked, whatever comes of it; leave the mask behind."""
        asked = dict(scope)
        here = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] == "http" and here.startswith("/shared/"):
            scope["path"] = MASKED
        await self.app(asked, receive, send)


def install(app: FastAPI) -> None:
    """Add the pages to the application."""
    app.add_middleware(Masked)
    app.include_router(router)
    app.add_exception_handler(NoSuchLinkError, _nothing)
    app.add_exception_handler(TooManyError, _too_many)


def _nothing(request: Request, _error: Exception) -> Response:
    return answer(request, "shared_nothing.html", 404, told=studio.text("shared.nothing"))


def _failed(request: Request, error: AvatarlabError) -> Response:
    """A sentence: the address is wrong, or something is away. Raises what is a defect of ours."""
    if isinstance(error, ReferenceRefused):
        return _nothing(request, error)
    if isinstance(error, InputError):
        return _wrong(request, 400)
    if not isinstance(error, TransientError):
        raise error
    log.warning("a shared page was not shown: %s", error)
    told = studio.text("shared.away", wait=studio.seconds(AGAIN_S))
    away = answer(request, "shared_nothing.html", 503, told=told)
    away.headers["Retry-After"] = str(AGAIN_S)
    return away


def _wrong(request: Request, status: int) -> Response:
    return answer(request, "shared_nothing.html", status, told=studio.text("shared.wrong"))


def _too_many(request: Request, error: Exception) -> Response:
    wait = max(1, round(error.args[0]))
    refused = answer(
        request, "shared_nothing.html", 429, told=studio.text("shared.busy", wait=studio.seconds(wait))
    )
    refused.headers["Retry-After"] = str(wait)
    return refused
