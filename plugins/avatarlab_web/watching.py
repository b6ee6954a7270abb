"""What an api-server looks after again and again, for as long as it serves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from avatarlab_ops.errors import AvatarlabError

log = logging.getLogger(__name__)


async def again(look: Callable[[], Awaitable[object]], every_s: float, what: str) -> None:
    """Look every so many seconds until cancelled; whatever a look raises is told, and the next one comes.

    `what` names it in the log: "webhooks". One that ended for good would be missed much later.
    """
    from sqlalchemy.exc import SQLAlchemyError

    while True:
        try:
            await look()
        except (AvatarlabError, SQLAlchemyError) as error:
            log.warning("%s: looked at again in %.0f s: %s", what, every_s, error)
        except Exception:
            log.exception("%s: looked at again in %.0f s; this is a defect of Avatarlab", what, every_s)
        await asyncio.sleep(every_s)
