"""Sends webhooks: whatever is due, from every api-server, each delivery by one of them at a time."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import httpx

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import transaction
from avatarlab_web import outward
from avatarlab_web.stores import stores
from avatarlab_web.watching import again

LOOK_S = 1.0
AT_ONCE = 20
WHOLE_S = 30.0  # of an attempt, however slowly the receiver answers
LONGEST_S = 24 * 3600.0
log = logging.getLogger(__name__)


async def watch() -> None:
    """Send what is due, again and again, until cancelled."""
    await again(_send_all, LOOK_S, "webhooks")


async def _send_all() -> None:
    while await send(await asyncio.to_thread(stores)) == AT_ONCE:
        pass


async def send(where: Settings) -> int:
    """Try what is due now; return how many deliveries that were."""
    due = await asyncio.to_thread(_claim, where)
    if due:
        async with outward.client() as client:
            await asyncio.gather(*(_try(where, client, attempt) for attempt in due))
    return len(due)


def _claim(where: Settings) -> list[webhooks.Attempt]:
    with transaction(where.pg_dsn) as db:
        return webhooks.claim(db, AT_ONCE)


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
    await asyncio.to_thread(_settle, where, attempt, status, told, later_s)


def _later_s(text: str) -> float:
    """Seconds that the receiver asks to be left alone; a date counts as nothing."""
    return min(float(text), LONGEST_S) if text.isdecimal() else 0.0


def _settle(
    where: Settings, attempt: webhooks.Attempt, status: int | None, told: str, later_s: float
) -> None:
    with transaction(where.pg_dsn) as db:
        webhooks.settle(db, attempt, status, told, later_s=later_s)
