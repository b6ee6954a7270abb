"""One look at the catalog a tick, for every stream of this process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy.exc import SQLAlchemyError

from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.renders import standing
from avatarlab_ops.renders.standing import Standing
from avatarlab_ops.settings import Settings

TICK_S = 0.2  # from the beginning of a look to that of the next
COALESCED_S = 0.5  # a render that was just told is told again after this long, its end at once
KEPT = timedelta(seconds=60)  # how long an ended render is shown: a slow reader still sees its end
log = logging.getLogger(__name__)


class Coalescing:
    """Holds back what changes faster than anybody reads; what comes after a rest is told at once."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, Standing]] = {}  # when each render was last told as new, and how

    def coalesced(self, at_s: float, found: list[Standing]) -> list[Standing]:
        """`found`; what was told less than COALESCED_S ago and has not ended, as it was told."""
        before, self._told = self._told, {}
        for one in found:
            known = before.get(one.render.id)
            held = known and (known[1].mark == one.mark or self._early(at_s - known[0], known[1], one))
            self._told[one.render.id] = known if known and held else (at_s, one)
        return [one for _, one in self._told.values()]

    @staticmethod
    def _early(since_s: float, told: Standing, now: Standing) -> bool:
        return since_s < COALESCED_S and told.mark[:3] == now.mark[:3]


class Hub:
    """Looks while somebody listens."""

    def __init__(self, stores: Settings) -> None:
        self.stores = stores
        self._latest: tuple[datetime, list[Standing]] = (datetime.now(UTC), [])
        self._coalescing = Coalescing()
        self._tick = 0
        self._looked = asyncio.Condition()
        self._streams = 0
        self._looking: asyncio.Task[None] | None = None

    async def looks(self) -> AsyncIterator[tuple[datetime, list[Standing]]]:
        """(time of the look, every render that is open or ended lately), again and again."""
        self._streams += 1
        try:
            seen = 0
            if self._looking is None or self._looking.done():
                seen, self._looking = self._tick, asyncio.create_task(self._look())
            while True:
                async with self._looked:
                    await self._looked.wait_for(lambda: self._tick != seen)  # noqa: B023 (waited for here)
                    seen = self._tick
                yield self._latest
        finally:
            self._streams -= 1

    async def _look(self) -> None:
        while self._streams:
            at, begun = datetime.now(UTC), time.monotonic()
            try:
                found = await asyncio.to_thread(standing.since, self.stores, at - KEPT)
            except (AvatarlabError, SQLAlchemyError) as error:
                log.warning("renders are looked at again in %.1f s: %s", TICK_S, error)
            else:
                async with self._looked:
                    self._latest, self._tick = (at, self._coalescing.coalesced(begun, found)), self._tick + 1
                    self._looked.notify_all()
            took = time.monotonic() - begun
            await asyncio.sleep(max(TICK_S - took, took))  # at most half of the time is spent on looking


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub(stores: Settings) -> Hub:
    """The one of this process's event loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub(stores))
