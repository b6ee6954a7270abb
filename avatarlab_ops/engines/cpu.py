"""How many threads an engine may use on the CPU."""

import os


def threads() -> int:
    """Threads per engine: AVATARLAB_CPU_THREADS (at least 1), or 2, which leaves parallel tasks room."""
    return max(1, int(os.environ.get("AVATARLAB_CPU_THREADS", "2")))
