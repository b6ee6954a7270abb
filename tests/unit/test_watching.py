"""What an api-server looks after goes on, whatever one look meets."""

from __future__ import annotations

import asyncio
import logging

import pytest
from avatarlab_web.watching import again

from avatarlab_ops.errors import TransientError


@pytest.mark.parametrize(
    ("raised", "level"),
    [(TransientError("away"), logging.WARNING), (KeyError("endpoint_url"), logging.ERROR)],
)
def test_a_look_that_fails_is_told_and_looked_again(
    raised: Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    looked: list[int] = []

    async def look() -> None:
        looked.append(1)
        if len(looked) == 1:
            raise raised

    async def until_the_third() -> None:
        watch = asyncio.create_task(again(look, 0, "webhooks"))
        while len(looked) < 3:
            await asyncio.sleep(0)
        watch.cancel()

    asyncio.run(until_the_third())
    (told,) = caplog.records
    assert (told.levelno, "webhooks" in told.getMessage()) == (level, True)
