"""Damaged media for ten minutes (FUZZ_MINUTES): no crash, no hang, no leak. `make fuzz` runs this."""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path

import psutil
import pytest
from kit import damage

MINUTES = float(os.environ.get("FUZZ_MINUTES", "10"))
FIRST = int(os.environ.get("FUZZ_SEED", "1000000"))  # the numbers below are those of the unit tests
HANG_S = 10.0
GROWTH_BYTES = 200 << 20


@pytest.mark.timeout(MINUTES * 60 + 300)
def test_damaged_media_for_some_minutes(tmp_path: Path) -> None:
    contents, here = damage.originals(tmp_path), psutil.Process()
    end, before, slowest = time.monotonic() + MINUTES * 60, here.memory_info().rss, 0.0
    for number in count(FIRST):
        for name, content in contents.items():
            path = tmp_path / name
            path.write_bytes(damage.damaged(content, number))
            started = time.monotonic()
            try:
                damage.use(path)
            except Exception as error:
                error.add_note(f"damage.damaged({name}, {number}); FUZZ_SEED={number} starts here")
                raise
            slowest = max(slowest, time.monotonic() - started)
            assert slowest < HANG_S, f"{name}, number {number}: {slowest:.1f} s"
        if time.monotonic() > end:
            break
    grown = here.memory_info().rss - before
    files = (number - FIRST + 1) * len(contents)
    print(f"{files} files, numbers {FIRST} to {number}, slowest {slowest:.2f} s, "
          f"{grown / 2**20:.0f} MiB more memory")  # fmt: skip
    assert grown < GROWTH_BYTES
