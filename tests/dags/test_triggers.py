"""What a task that gave way waits for at least."""

from __future__ import annotations

import asyncio
import time

import avatarlab_triggers


def test_a_task_that_gave_way_returns_no_sooner_than_airflow_hears_of_its_end() -> None:
    async def fired() -> str:
        return str((await anext(avatarlab_triggers.TurnEnded().run())).payload)

    begun = time.monotonic()
    assert asyncio.run(fired()) == "its turn"
    assert time.monotonic() - begun >= avatarlab_triggers.SEEN_S > 1
