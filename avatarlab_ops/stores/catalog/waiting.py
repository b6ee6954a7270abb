"""Waiting without a process: for equal work in the server's lock queue, for approval by listening.

However many wait, PostgreSQL sees one connection for each lock that is waited for and one that listens: all
who wait in the same event loop share them.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any

import psycopg
from psycopg.errors import LockNotAvailable

from avatarlab_ops.stores.catalog import CONNECT, lock_number

LOOK_S = 10  # how often it is looked whether a waiting render still wants the work
DECIDED = "avatarlab_approval"  # channel that tells a render's id once somebody decided
_CLOSED = "SELECT id FROM render WHERE id = ANY(%s) AND state NOT IN ('accepted', 'running')"
_DECIDED = """
SELECT id FROM render WHERE id = ANY(%s) AND (approved_at IS NOT NULL OR state NOT IN ('accepted', 'running'))
"""
Connection = psycopg.AsyncConnection[Any]


async def work_ended(dsn: str, name: str, render_id: str) -> str:
    """Return once it makes sense to ask for the lock `name` again; the reason, for people.

    That is when it is free, when the render has ended meanwhile, or when the server is away: then whoever
    asks again meets the error and its retries.
    """
    return await _watch(_Lock, dsn, name).wait([render_id])


async def decided(dsn: str, render_ids: list[str]) -> str:
    """Return once one of the renders no longer waits for approval; the reason, for people."""
    return await _watch(_Decisions, dsn, DECIDED).wait(render_ids)


class _Watch(ABC):
    """One connection, and all in this event loop who wait for what it tells."""

    def __init__(self, dsn: str, name: str) -> None:
        self.name = name
        self.waiting: dict[asyncio.Future[str], list[str]] = {}
        self.joined = asyncio.Event()
        self._dsn = dsn
        self._task: asyncio.Task[None] | None = None

    async def wait(self, render_ids: list[str]) -> str:
        """Why one of these renders need not wait any longer."""
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting[told] = render_ids
        self.joined.set()
        self._task = self._task or asyncio.create_task(self._run())
        either: set[asyncio.Future[Any]] = {told, self._task}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not told.done():
                self._task.result()  # raises what went wrong
            return told.result()
        finally:
            self.waiting.pop(told, None)

    async def _run(self) -> None:
        arguments: dict[str, Any] = CONNECT | {"autocommit": True}
        try:
            async with await psycopg.AsyncConnection.connect(self._dsn, **arguments) as connection:
                await self.begin(connection)
                while self.waiting:
                    await self.look(connection)
                _forget(self)  # before anything is awaited: who comes now begins anew
        except psycopg.OperationalError as error:
            self.tell(f"PostgreSQL did not answer: {str(error).partition(chr(10))[0]}")
        finally:
            _forget(self)

    def tell(self, reason: str, renders: set[str] | None = None) -> None:
        """Wake those who wait for one of `renders`, None: everybody."""
        for told, wanted in self.waiting.items():
            if not told.done() and (renders is None or renders & set(wanted)):
                told.set_result(reason)
        self.waiting = {told: wanted for told, wanted in self.waiting.items() if not told.done()}

    async def among(self, connection: Connection, statement: str) -> set[str]:
        """The waiting renders that `statement` finds."""
        every = [one for wanted in self.waiting.values() for one in wanted]
        return {row[0] for row in await (await connection.execute(statement, [every])).fetchall()}

    @abstractmethod
    async def begin(self, connection: Connection) -> None:
        """Prepare the connection for waiting."""

    @abstractmethod
    async def look(self, connection: Connection) -> None:
        """Wait for news, at most LOOK_S seconds, and tell them."""


class _Lock(_Watch):
    """An advisory lock. The server wakes us when its holder lets go or dies."""

    async def begin(self, connection: Connection) -> None:
        await connection.execute(f"SET lock_timeout = '{LOOK_S}s'")

    async def look(self, connection: Connection) -> None:
        # Shared, so that other machines' waiters wake at once too; closing the connection lets go of it.
        try:
            await connection.execute("SELECT pg_advisory_lock_shared(%s)", [lock_number(self.name)])
        except LockNotAvailable:
            self.tell("the render has ended", await self.among(connection, _CLOSED))
        else:
            self.tell("equal work has ended")


class _Decisions(_Watch):
    """What people decide about videos that wait for approval."""

    async def begin(self, connection: Connection) -> None:
        await connection.execute(f"LISTEN {self.name}")

    async def look(self, connection: Connection) -> None:
        self.joined.clear()
        self.tell("somebody has decided", await self.among(connection, _DECIDED))
        if self.waiting:
            await self._news(connection)

    async def _news(self, connection: Connection) -> None:
        """Return when somebody decided, when somebody else begins to wait, or after LOOK_S seconds."""
        heard = asyncio.create_task(_first(connection))
        joined = asyncio.create_task(self.joined.wait())
        await asyncio.wait({heard, joined}, return_when=asyncio.FIRST_COMPLETED)
        for one in (heard, joined):
            one.cancel()
        await asyncio.wait({heard, joined})
        if not heard.cancelled():
            heard.result()  # raises what went wrong with the connection


async def _first(connection: Connection) -> None:
    async for _ in connection.notifies(timeout=LOOK_S, stop_after=1):
        pass


_watches: dict[tuple[asyncio.AbstractEventLoop, type[_Watch], str, str], _Watch] = {}


def _watch(kind: type[_Watch], dsn: str, name: str) -> _Watch:
    key = (asyncio.get_running_loop(), kind, dsn, name)
    return _watches.setdefault(key, kind(dsn, name))


def _forget(watch: _Watch) -> None:
    for key in [key for key, known in _watches.items() if known is watch]:
        del _watches[key]
