"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T | None], *trouble: type[Exception], end_s: float = 300) -> T:
    """What `look` gives once it gives something; errors of the kinds `trouble` are waited out too."""
    deadline = time.monotonic() + end_s
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except trouble as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"nothing happened within {end_s:.0f} s; last trouble: {last}")
