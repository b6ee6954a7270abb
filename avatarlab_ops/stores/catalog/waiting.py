"""Waiting without a process: for equal work, one connection that sleeps in the server's lock queue; for
approval, one that listens.

The server wakes it when whoever holds the lock lets go or dies. Many such waits run in one event loop.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.errors import LockNotAvailable

from avatarlab_ops.stores.catalog import CONNECT, lock_number

LOOK_S = 10  # how often a waiter looks whether its own render still wants the work
DECIDED = "avatarlab_approval"  # channel that tells a render's id once somebody decided
_OPEN = "SELECT 1 FROM render WHERE id = %s AND state IN ('accepted', 'running')"
_DECIDED = """
SELECT 1 FROM render WHERE id = ANY(%s) AND (approved_at IS NOT NULL OR state NOT IN ('accepted', 'running'))
"""


async def work_ended(dsn: str, name: str, render_id: str) -> str:
    """Return once it makes sense to ask for the lock `name` again; the reason, for people.

    That is when it is free, when the render has ended meanwhile, or when the server is away: then whoever
    asks again meets the error and its retries.
    """
    arguments: dict[str, Any] = CONNECT | {"autocommit": True}
    try:
        async with await psycopg.AsyncConnection.connect(dsn, **arguments) as connection:
            await connection.execute(f"SET lock_timeout = '{LOOK_S}s'")
            while not await _was_free(connection, name):
                if await (await connection.execute(_OPEN, [render_id])).fetchone() is None:
                    return "the render has ended"
    except psycopg.OperationalError as error:
        return f"PostgreSQL did not answer: {str(error).partition(chr(10))[0]}"
    return "equal work has ended"


async def decided(dsn: str, render_ids: list[str]) -> str:
    """Return once one of the renders no longer waits for approval; the reason, for people."""
    arguments: dict[str, Any] = CONNECT | {"autocommit": True}
    try:
        async with await psycopg.AsyncConnection.connect(dsn, **arguments) as connection:
            await connection.execute(f"LISTEN {DECIDED}")
            while not await _any_decided(connection, render_ids):
                async for _ in connection.notifies(timeout=LOOK_S, stop_after=1):
                    pass
    except psycopg.OperationalError as error:
        return f"PostgreSQL did not answer: {str(error).partition(chr(10))[0]}"
    return "somebody has decided"


async def _any_decided(connection: psycopg.AsyncConnection[Any], render_ids: list[str]) -> bool:
    found = await connection.execute(_DECIDED, [render_ids])
    return await found.fetchone() is not None


async def _was_free(connection: psycopg.AsyncConnection[Any], name: str) -> bool:
    """Share the lock, so that all who wait wake at once; closing the connection lets go of it."""
    try:
        await connection.execute("SELECT pg_advisory_lock_shared(%s)", [lock_number(name)])
    except LockNotAvailable:
        return False
    return True
