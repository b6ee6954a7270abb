"""What a deferred task waits for, in the triggerer's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from avatarlab_connections import pg_dsn

SEEN_S = 2.0  # within which the scheduler mostly hears that the task's last process has ended


class Returning(BaseTrigger):
    """Lets a task go on once what it waits for has come, and not sooner than SEEN_S after it gave way.

    A task that is queued again before the scheduler has heard of the end of its last process is taken for
    one that somebody killed, and loses a try; Airflow tells nobody when it has heard.
    """

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: why the task goes on."""
        reason, _ = await asyncio.gather(self.reason(), asyncio.sleep(SEEN_S))
        yield TriggerEvent(reason)  # type: ignore[no-untyped-call]

    async def reason(self) -> str:
        """Return once the task may go on."""
        raise NotImplementedError


class WorkEnded(Returning):
    """Fires once equal work elsewhere has ended, by success, by failure or by death: then ask again.

    It keeps the lock's name and the render that waits, no address and no password.
    """

    def __init__(self, lock: str, render_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lock = lock
        self.render_id = render_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return "avatarlab_triggers.WorkEnded", {"lock": self.lock, "render_id": self.render_id}

    async def reason(self) -> str:
        """Return how the work ended."""
        from avatarlab_ops.stores.catalog.waiting import work_ended

        return await work_ended(await pg_dsn(), self.lock, self.render_id)


class Decided(Returning):
    """Fires once somebody has decided about one of the renders that wait for approval, or one has ended."""

    def __init__(self, render_ids: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.render_ids = render_ids

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return "avatarlab_triggers.Decided", {"render_ids": self.render_ids}

    async def reason(self) -> str:
        """Return what was decided."""
        from avatarlab_ops.stores.catalog.waiting import decided

        return await decided(await pg_dsn(), self.render_ids)


class TurnEnded(Returning):
    """The task has given its place back and queues for one again, behind whoever waits."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and no argument."""
        return "avatarlab_triggers.TurnEnded", {}

    async def reason(self) -> str:
        """Return at once."""
        return "its turn"
