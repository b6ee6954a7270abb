"""All pages of the Studio, and what they load."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DataError

from avatarlab_ops.errors import AvatarlabError
from avatarlab_web.api.problems import UNKEPT, Refusal, malformed, status_of
from avatarlab_web.studio import bulk, impact, make, people, queue, verify, videos, voices
from avatarlab_web.studio.access import page_user
from avatarlab_web.studio.page import HERE, show

_FILES = StaticFiles(directory=HERE / "static")
router = APIRouter(include_in_schema=False)
for part in (videos, make, voices, bulk, queue, people, impact, verify):
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
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(AvatarlabError, _failed)
    app.add_exception_handler(DataError, _unkept)
    app.add_exception_handler(RequestValidationError, malformed)


def _refused(request: Request, error: Exception) -> Response:
    """The page that says why something is refused."""
    assert isinstance(error, Refusal)  # noqa: S101 (registered for no other)
    return show(request, "nothing.html", here="", reason=error.detail, status_code=error.status)


def _failed(request: Request, error: Exception) -> Response:
    """The page that says what is wrong with the address, or that a store is away."""
    assert isinstance(error, AvatarlabError)  # noqa: S101 (registered for no other)
    return show(request, "nothing.html", here="", reason=str(error), status_code=status_of(error))


def _unkept(request: Request, _error: Exception) -> Response:
    """The page that says that the database takes no such value."""
    return show(request, "nothing.html", here="", reason=UNKEPT, status_code=422)
