"""The web part: the Studio, links from a run to its video, the HTTP API, and what watches over runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from avatarlab_web import deadlines, patience, published, relaying, runs, sending, shared, starting
from avatarlab_web.api import previews
from avatarlab_web.api.app import api
from avatarlab_web.studio import routes as studio


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Watch the runs, and make previews, for as long as the server serves."""
    looks = (runs, starting, patience, sending, deadlines, relaying)
    watches = [asyncio.create_task(look.watch()) for look in looks]
    yield
    for watch in watches:
        watch.cancel()
    previews.desk.close()


app = FastAPI(title="Avatarlab", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
app.mount("/api/v1", api)
app.include_router(published.router)
shared.install(app)
studio.install(app)
