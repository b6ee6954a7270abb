"""Every process of ours solves its small systems by one thread, whatever the machine."""

from __future__ import annotations

import os
import subprocess
import sys

SOLVE = """
import avatarlab_ops, os, cv2, numpy, scipy.linalg
one = numpy.eye(300) + 0.01
cv2.solve(one, one), numpy.linalg.solve(one, one), scipy.linalg.solve(one, one)
print(len(os.listdir("/proc/self/task")))
"""


def test_what_is_small_is_solved_by_one_thread() -> None:
    """Or each picture's warp takes ten times as long, and a copy's bytes depend on the number of cores."""
    env = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", SOLVE], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "1\n"
