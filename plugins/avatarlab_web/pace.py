"""How often a caller may ask for what costs seconds and leaves no record that a budget could count."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable


class Pace:
    """So many turns for each caller within so many seconds, in this process."""

    def __init__(self, most: int, within_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.within_s = most, within_s
        self._clock, self._lock = clock, threading.Lock()
        self._taken: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=most))

    def take(self, caller: str) -> float:
        """Take a turn and return 0.0, or the seconds after which there is one."""
        with self._lock:
            taken, now = self._taken[caller], self._clock()
            if len(taken) == self.most and now < taken[0] + self.within_s:
                return taken[0] + self.within_s - now
            taken.append(now)
            return 0.0

    def give_back(self, caller: str) -> None:
        """Take back a caller's latest turn: nothing came of it."""
        with self._lock:
            if self._taken[caller]:
                self._taken[caller].pop()
