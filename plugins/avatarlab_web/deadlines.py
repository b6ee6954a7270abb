"""Looks whether bulk runs will end by their deadlines, and has those told who asked for them."""

import asyncio
import logging

from avatarlab_ops.errors import AvatarlabError
from avatarlab_web.stores import stores

LOOK_S = 30.0
log = logging.getLogger(__name__)


async def watch() -> None:
    """Look again and again, until cancelled."""
    from sqlalchemy.exc import SQLAlchemyError

    from avatarlab_ops.bulk import forecast

    while True:
        try:
            for bulk_id in await asyncio.to_thread(lambda: forecast.tell_late(stores())):
                log.warning("bulk run %s is expected to end beyond its deadline", bulk_id)
        except (AvatarlabError, SQLAlchemyError) as error:
            log.warning("deadlines are looked at again in %.0f s: %s", LOOK_S, error)
        await asyncio.sleep(LOOK_S)
