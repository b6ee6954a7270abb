"""Sends webhooks: whatever is due, from every api-server, each delivery by one of them at a time.

A receiver that hangs holds a few places, all of one caller's a few more; the others are filled again as soon
as they are free.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import httpx
from sqlalchemy.exc import SQLAlchemyError

from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import transaction
from avatarlab_web import outward
from avatarlab_web.stores import stores
from avatarlab_web.watching import again

LOOK_S = 1.0
AT_ONCE = 40
AT_ONCE_EACH = 4  # to one endpoint
AT_ONCE_CALLER = 8  # to all of one caller's, so that those of five hang before anybody else waits
WHOLE_S = 30.0  # of an attempt, however slowly the receiver answers
LONGEST_S = 24 * 3600.0
log = logging.getLogger(__name__)


async def watch() -> None:
    """Send what is due, again and again, until cancelled."""
    await again(_send_all, LOOK_S, "webhooks")


async def _send_all() -> None:
    await send(await asyncio.to_thread(stores))


async def send(where: Settings) -> int:
    """Try what is due, and what falls due meanwhile, until nothing is; return how many attempts that were."""
    tried = 0
    at_work: dict[asyncio.Task[None], webhooks.Attempt] = {}
    async with outward.client() as client:
        try:
            while True:
                due = await _due(where, [*at_work.values()])
                tried += len(due)
                for attempt in due:
                    at_work[asyncio.create_task(_try(where, client, attempt))] = attempt
                if not at_work:
                    return tried
                done, _ = await asyncio.wait(at_work, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del at_work[task]
                    task.result()
        finally:
            for task in at_work:
                task.cancel()
            await asyncio.gather(*at_work, return_exceptions=True)


async def _due(where: Settings, at_work: list[webhooks.Attempt]) -> list[webhooks.Attempt]:
    """Nothing where the catalog is away for a moment: what is at work is not broken off for that."""
    try:
        return await asyncio.to_thread(_claim, where, at_work)
    except (AvatarlabError, SQLAlchemyError) as error:
        if not at_work:
            raise
        log.warning("webhooks: looked at again in %.0f s: %s", LOOK_S, error)
        return []


def _claim(where: Settings, at_work: list[webhooks.Attempt]) -> list[webhooks.Attempt]:
    with transaction(where.pg_dsn) as db:
        return webhooks.claim(
            db, AT_ONCE - len(at_work), each=AT_ONCE_EACH, of_caller=AT_ONCE_CALLER, at_work=at_work
        )


async def _try(where: Settings, client: httpx.AsyncClient, attempt: webhooks.Attempt) -> None:
    headers = webhooks.headers(attempt, datetime.now(UTC))
    status: int | None = None
    later_s = 0.0
    try:
        async with asyncio.timeout(WHOLE_S):
            async with client.stream("POST", attempt.url, content=attempt.body, headers=headers) as answer:
                status, told = answer.status_code, f"it answered {answer.status_code}"
                later_s = _later_s(answer.headers.get("Retry-After", ""))
    except Exception as error:  # noqa: BLE001 - whatever an address brings about ends its own attempt alone
        told = f"{type(error).__name__}: {error}"
    try:
        await asyncio.to_thread(_settle, where, attempt, status, told, later_s)
    except Exception as error:  # as above: what others are being sent goes on
        away = isinstance(error, (AvatarlabError, SQLAlchemyError))
        lost = "webhook %s is sent again in a minute, as what became of it was not kept: %s"
        log.warning(lost, attempt.id, error, exc_info=not away)


def _later_s(text: str) -> float:
    """Seconds that the receiver asks to be left alone; a date counts as nothing."""
    return min(float(text), LONGEST_S) if text.isdecimal() else 0.0


def _settle(
    where: Settings, attempt: webhooks.Attempt, status: int | None, told: str, later_s: float
) -> None:
    with transaction(where.pg_dsn) as db:
        webhooks.settle(db, attempt, status, told, later_s=later_s)
