"""Who may see a page: a plugin's routes are public unless they ask themselves. Roles are those of the API."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials

from avatarlab_web.api.access import Caller, caller, same_origin


async def page_user(request: Request) -> Any:
    """The logged-in user; a browser without a login is led to Airflow's, and back afterwards.

    What a page's script fetches is refused (401): led on, it would take the login page for what it asked for.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = HTTPAuthorizationCredentials(scheme=scheme, credentials=token) if token else None
    try:
        return await get_user(request, None, bearer)
    except HTTPException as refusal:
        if refusal.status_code not in (401, 403):  # 403: it has a login that another key signed
            raise
        if not goes_to_page(request):
            raise HTTPException(401, refusal.detail) from refusal
        outside = request.scope["root_path"].rpartition("/avatarlab")[0]
        to = f"{outside}/auth/login/?next={quote(str(request.url), safe='')}"
        raise HTTPException(303, "log in first", headers={"Location": to}) from refusal


def goes_to_page(request: Request) -> bool:
    """Whether a person goes to a page, rather than a page's script, picture or video asks for something."""
    usual = "navigate" if request.method == "GET" else ""  # of a browser that does not say
    return request.headers.get("sec-fetch-mode", usual) == "navigate"


def viewer(user: Annotated[Any, Depends(page_user)]) -> Caller:
    """Somebody who may see renders. Raises Refusal (403)."""
    known = caller(user)
    known.require("reader")
    return known


def author(known: Annotated[Caller, Depends(viewer)], request: Request) -> Caller:
    """Somebody who may start renders, on a page of this very server. Raises Refusal (403)."""
    known.require("author")
    same_origin(request, known)
    return known


Viewer = Annotated[Caller, Depends(viewer)]
Author = Annotated[Caller, Depends(author)]
