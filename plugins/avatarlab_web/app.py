"""The web part: links from a run to its video, the HTTP API, and what watches over runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import RedirectResponse

from avatarlab_web import files, runs, starting
from avatarlab_web.api.app import api
from avatarlab_web.stores import stores


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Watch the runs for as long as the server serves."""
    watches = [asyncio.create_task(task) for task in (runs.watch(), starting.watch())]
    yield
    for watch in watches:
        watch.cancel()


app = FastAPI(title="Avatarlab", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)


@app.get(
    "/renders/{render_id}/{file}",
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))],
)
def published_file(render_id: str, file: Literal["video", "manifest"]) -> RedirectResponse:
    """Redirect to a presigned address of the render's video or manifest; 404 while it is not published."""
    from avatarlab_ops.errors import ReferenceRefused
    from avatarlab_ops.renders import listing

    settings = stores()
    try:
        names = listing.one(settings, render_id).files
    except ReferenceRefused as error:
        raise HTTPException(404, str(error)) from error
    name = next((name for name in names if name.startswith(f"{file}.")), None)
    if name is None:
        raise HTTPException(404, f"render {render_id} is not published")
    return RedirectResponse(files.link(settings, render_id, name))


app.mount("/api/v1", api)
