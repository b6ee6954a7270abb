"""How many threads an engine may use on the CPU."""

import os


def threads() -> int:
    """Threads per engine: AVATARLAB_CPU_THREADS when set (at least 1), else 2, so that parallel tasks leave room."""
    return max(1, int(os.environ.get("AVATARLAB_CPU_THREADS", "2")))
