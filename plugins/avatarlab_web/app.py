"""The web part: the Studio, links from a run to its video, the HTTP API, and what watches over runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from avatarlab_ops.media.limits import Limits
from avatarlab_web import deadlines, patience, published, relaying, runs, sending, shared, starting
from avatarlab_web.api import previews
from avatarlab_web.api.app import api
from avatarlab_web.api.bodies import BoundedBodies
from avatarlab_web.studio import routes as studio
from avatarlab_web.studio.page import FORM_BYTES

BODY_BYTES = 16_000_000  # a table of studio.bulk.PASTED_CHARACTERS as JSON, and room
SHARED_BYTES = 4_000  # strangers send two words of a form
FILES = ("/avatars", "/verify")  # asked who calls first; the form is read afterwards


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Watch the runs, and make previews, for as long as the server serves."""
    looks = (runs, starting, patience, sending, deadlines, relaying)
    watches = [asyncio.create_task(look.watch()) for look in looks]
    yield
    for watch in watches:
        watch.cancel()
    previews.desk.close()


def most_bytes(path: str) -> int:
    """How much anybody may send to this path, with a login or without."""
    if path in FILES:
        return Limits().max_bytes + FORM_BYTES
    return SHARED_BYTES if path.startswith("/shared/") else BODY_BYTES


app = FastAPI(title="Avatarlab", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
app.mount("/api/v1", api)
app.include_router(published.router)
shared.install(app)
studio.install(app)
app.add_middleware(BoundedBodies, most=most_bytes)
