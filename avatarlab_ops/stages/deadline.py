"""How long a stage may take: looked at with every report, and an alarm for one that reports nothing."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

from avatarlab_ops.errors import StageTimeout

LEAST_S = 1800.0  # work of seconds that needs longer hangs
AGAIN_S = 10.0  # seconds until the alarm rings again: an exception raised inside `__del__` is lost


def budget_s(expected_s: float = 0.0) -> float:
    """Seconds for work that should take `expected_s`: ten times as long, and half an hour at least."""
    return max(LEAST_S, 10 * expected_s)


class _Rung(BaseException):
    """The alarm. No Exception: a library would take it for a failure of its own, and try again."""


class Deadline:
    """`budget_s` seconds from now for the stage, or for the part of it that `stage` names."""

    def __init__(self, stage: str, budget_s: float) -> None:
        self._stage, self._budget_s = stage, budget_s
        self._end = time.monotonic() + budget_s

    def check(self) -> None:
        """Raise StageTimeout once the budget is spent."""
        if time.monotonic() > self._end:
            raise self._spent()

    def _spent(self) -> StageTimeout:
        return StageTimeout(
            f"{self._stage} took more than {self._budget_s:.0f} s, far more than such work takes. Airflow "
            "tries it again. Shorten the script or the footage, or look at what slows the machine or the "
            "stores down (`avatarlab doctor`)"
        )

    @contextmanager
    def alarm(self) -> Iterator[None]:
        """Raise StageTimeout from within the block once the budget is spent.

        Only a main thread can be interrupted; in another one the reports alone are looked at.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ring(_signal: int, _frame: FrameType | None) -> None:
            raise _Rung

        before = signal.signal(signal.SIGALRM, ring)
        started = time.monotonic()
        left_s, again_s = signal.setitimer(signal.ITIMER_REAL, max(0.001, self._end - started), AGAIN_S)
        try:
            yield
        except _Rung:
            raise self._spent() from None
        finally:
            spent_s = time.monotonic() - started
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left_s - spent_s) if left_s else 0, again_s)
            signal.signal(signal.SIGALRM, before)


def in_time(part: str, expected_s: float = 0.0) -> AbstractContextManager[None]:
    """Raise StageTimeout from within the block once a part of a stage takes far more than `expected_s`."""
    return Deadline(part, budget_s(expected_s)).alarm()
