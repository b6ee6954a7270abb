"""Looks whether renders and bulk runs will end by their deadlines; has those told who asked for them."""

import asyncio
import logging

from avatarlab_ops.errors import AvatarlabError
from avatarlab_web.stores import stores

LOOK_S = 30.0
log = logging.getLogger(__name__)


async def watch() -> None:
    """Look again and again, until cancelled."""
    from sqlalchemy.exc import SQLAlchemyError

    while True:
        try:
            for late in await asyncio.to_thread(_look):
                log.warning("%s is expected to end beyond its deadline", late)
        except (AvatarlabError, SQLAlchemyError) as error:
            log.warning("deadlines are looked at again in %.0f s: %s", LOOK_S, error)
        await asyncio.sleep(LOOK_S)


def _look() -> list[str]:
    """What was told late now."""
    from avatarlab_ops.bulk import forecast
    from avatarlab_ops.renders import lateness

    known = stores()
    runs, renders = forecast.tell_late(known), lateness.tell_late(known)
    return [f"bulk run {one}" for one in runs] + [f"render {one}" for one in renders]
