"""All pages of the Studio, and what they load."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from avatarlab_web.api.problems import ANSWERS
from avatarlab_web.studio import bulk, faces, impact, make, people, queue, verify, videos, voices
from avatarlab_web.studio.access import goes_to_page, page_user
from avatarlab_web.studio.page import HERE, show

KEPT = ("retry-after", "www-authenticate", "allow")  # of a problem's headers, with its page
Answer = Callable[[Request, Exception], Response]
_FILES = StaticFiles(directory=HERE / "static")
router = APIRouter(include_in_schema=False)
for part in (videos, make, faces, voices, bulk, queue, people, impact, verify):
    router.include_router(part.router)


@router.get("/")
def home(request: Request) -> Response:
    """The Studio begins with the videos."""
    return RedirectResponse(f"{request.scope['root_path']}/videos")


@router.get("/static/{name}")
async def static(request: Request, name: str, _user: Annotated[object, Depends(page_user)]) -> Response:
    """A style sheet, script or icon; for logged-in users, as a mounted folder would be public."""
    if "/" in name or name.startswith("."):
        raise HTTPException(404)
    answer = await _FILES.get_response(name, request.scope)
    answer.headers["Cache-Control"] = "no-cache"  # kept, and asked for anew: a new version shows at once
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def install(app: FastAPI) -> None:
    """Add the pages to the application."""
    app.include_router(router)
    for kind, problem in ANSWERS.items():
        app.add_exception_handler(kind, _told_as(problem))


def _told_as(problem: Answer) -> Answer:
    """What went wrong: a page where somebody goes to one, else (a script asks) the API's own document."""

    def told(request: Request, error: Exception) -> Response:
        document = problem(request, error)
        if document.status_code < 400 or not goes_to_page(request):
            return document
        reason = json.loads(bytes(document.body))["detail"]
        page = show(request, "nothing.html", here="", reason=reason, status_code=document.status_code)
        page.headers.update({name: document.headers[name] for name in KEPT if name in document.headers})
        return page

    return told
