"""Waiting for equal work without a process: one connection that sleeps in the server's lock queue.

The server wakes it when whoever holds the lock lets go or dies. Many such waits run in one event loop.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.errors import LockNotAvailable

from avatarlab_ops.stores.catalog import CONNECT, lock_number

LOOK_S = 10  # how often a waiter looks whether its own render still wants the work
_OPEN = "SELECT 1 FROM render WHERE id = %s AND state IN ('accepted', 'running')"


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


async def _was_free(connection: psycopg.AsyncConnection[Any], name: str) -> bool:
    """Share the lock, so that all who wait wake at once; closing the connection lets go of it."""
    try:
        await connection.execute("SELECT pg_advisory_lock_shared(%s)", [lock_number(name)])
    except LockNotAvailable:
        return False
    return True
