"""Damaged media for ten minutes (FUZZ_MINUTES): no crash, no hang, no hunger. `make fuzz` runs this."""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path

import pytest
from kit import damage

MINUTES = float(os.environ.get("FUZZ_MINUTES", "10"))
FIRST = int(os.environ.get("FUZZ_SEED", "1000000"))  # the numbers below are those of the unit tests


@pytest.mark.timeout(MINUTES * 60 + 300)
def test_damaged_media_for_some_minutes(tmp_path: Path) -> None:
    contents, end = damage.originals(tmp_path), time.monotonic() + MINUTES * 60
    slowest, hungriest = 0.0, 0
    with damage.Judge() as judge:
        for number in count(FIRST):
            for name, content in contents.items():
                path = tmp_path / name
                path.write_bytes(damage.damaged(content, number))
                what = f"damage.damaged({name}, {number}), FUZZ_SEED={number} starts here"
                cost = judge.cost(path, what)
                slowest, hungriest = max(slowest, cost.cpu_s), max(hungriest, cost.peak_bytes)
            if time.monotonic() > end:
                break
    files = (number - FIRST + 1) * len(contents)
    print(f"{files} files, numbers {FIRST} to {number}, slowest {slowest:.2f} s of processor time, "
          f"{hungriest / 2**20:.0f} MiB of memory at most")  # fmt: skip
