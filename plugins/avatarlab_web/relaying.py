"""Sends on what waits in the outbox: tasks try each message once, when they wrote it.

Every api-server looks, and each message is with one of them at a time. A receiver that is away costs a look
one attempt.
"""

import asyncio

from avatarlab_ops.stores import outbox
from avatarlab_web.stores import stores
from avatarlab_web.watching import again

LOOK_S = 10.0


async def watch() -> None:
    """Deliver what is due, again and again, until cancelled."""
    await again(lambda: asyncio.to_thread(_relay), LOOK_S, "messages")


def _relay() -> None:
    outbox.deliver(stores())
