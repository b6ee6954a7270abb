"""The API as one application: its errors are problem documents, and nobody enters without a login."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi

from avatarlab_web.api import (
    approvals,
    bulk,
    catalogue,
    consents,
    events,
    hooks,
    opinions,
    previews,
    problems,
    renders,
    shares,
    uploads,
    verifications,
)
from avatarlab_web.api.access import Reader, same_origin
from avatarlab_web.api.bodies import StrictBodies

TITLE = "Avatarlab"


def build() -> FastAPI:
    """The application, to be mounted at /api/v1."""
    app = FastAPI(
        title=TITLE,
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(same_origin)],
        responses=problems.COMMON,
    )
    problems.install(app)
    app.add_middleware(StrictBodies)
    asking, acting = (
        (catalogue, previews, verifications),
        (uploads, approvals, consents, shares, opinions, bulk, hooks),
    )
    for part in (renders, events, *asking, *acting):
        app.include_router(part.router)

    @app.get("/openapi.json", include_in_schema=False)
    def openapi(_who: Reader) -> dict[str, Any]:
        """This API, described for those who are logged in."""
        return get_openapi(title=TITLE, version="1", summary=__doc__, routes=app.routes)

    return app


api = build()
