"""Leads a logged-in user from a render to its files, by an address of the object store that soon expires."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import RedirectResponse

from avatarlab_web import runs

EXPIRES_S = 900


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Watch the runs for as long as the server serves."""
    watch = asyncio.create_task(runs.watch())
    yield
    watch.cancel()


app = FastAPI(title="Avatarlab files", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)


@app.get(
    "/renders/{render_id}/{file}",
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))],
)
def published_file(render_id: str, file: Literal["video", "manifest"]) -> RedirectResponse:
    """Redirect to a presigned address of the render's video or manifest; 404 while it is not published."""
    from avatarlab_ops import environment
    from avatarlab_ops.errors import AvatarlabError
    from avatarlab_ops.renders import status
    from avatarlab_ops.request import split_reference
    from avatarlab_ops.settings import Settings
    from avatarlab_ops.stores.objects import objects

    settings = Settings.from_env()
    # Where browsers reach the object store, when that is not where the api-server reaches it.
    endpoint = environment.read().s3_public_endpoint or settings.s3_endpoint
    try:
        result = status.published(settings, render_id)
    except AvatarlabError as error:
        raise HTTPException(404, str(error)) from error
    if result is None:
        raise HTTPException(404, f"render {render_id} is not published")
    bucket, key = split_reference(result.video_uri if file == "video" else result.manifest_uri)
    return RedirectResponse(
        objects(replace(settings, s3_endpoint=endpoint)).link(bucket, key, expires_s=EXPIRES_S)
    )
