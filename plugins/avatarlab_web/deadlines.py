"""Looks whether renders and bulk runs will end by their deadlines; has those told who asked for them."""

import asyncio
import logging

from avatarlab_ops.bulk import forecast
from avatarlab_ops.renders import lateness
from avatarlab_web.stores import stores
from avatarlab_web.watching import again

LOOK_S = 30.0
log = logging.getLogger(__name__)


async def watch() -> None:
    """Look again and again, until cancelled."""
    await again(lambda: asyncio.to_thread(_look), LOOK_S, "deadlines")


def _look() -> None:
    known = stores()
    late = [f"bulk run {one}" for one in forecast.tell_late(known)]
    for one in [*late, *(f"render {one}" for one in lateness.tell_late(known))]:
        log.warning("%s is expected to end beyond its deadline", one)
