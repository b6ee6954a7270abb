"""What a deferred task waits for, in the triggerer's event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from avatarlab_connections import pg_dsn


class WorkEnded(BaseTrigger):
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

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: why the task goes on."""
        from avatarlab_ops.stores.catalog.waiting import work_ended

        reason = await work_ended(await pg_dsn(), self.lock, self.render_id)
        yield TriggerEvent(reason)  # type: ignore[no-untyped-call]


class Decided(BaseTrigger):
    """Fires once somebody has decided about one of the renders that wait for approval, or one has ended."""

    def __init__(self, render_ids: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.render_ids = render_ids

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return "avatarlab_triggers.Decided", {"render_ids": self.render_ids}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: why the task goes on."""
        from avatarlab_ops.stores.catalog.waiting import decided

        yield TriggerEvent(await decided(await pg_dsn(), self.render_ids))  # type: ignore[no-untyped-call]


class TurnEnded(BaseTrigger):
    """Fires at once: the task has given its place back and queues for one again, behind whoever waits."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and no argument."""
        return "avatarlab_triggers.TurnEnded", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event."""
        yield TriggerEvent("its turn")  # type: ignore[no-untyped-call]
