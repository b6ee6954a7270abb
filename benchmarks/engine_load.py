"""What each engine still costs a task to load: in a process forked as Airflow forks its tasks.

What the scheduler preloads (`avatarlab_ops.preload`) is loaded before the fork, so a row is the rest:
runtimes that start threads and may not cross a fork, and the weights. Files are in the page cache.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from multiprocessing.connection import Connection

from avatarlab_ops import engines
from avatarlab_ops.errors import EngineUnavailable

RUNS = 3


def load(kind: str, name: str) -> float:
    """Seconds until an engine is ready, here; raises EngineUnavailable where its weights are missing."""
    began = time.perf_counter()
    engines.load(kind, name)
    return time.perf_counter() - began


def _child(answer: Connection, kind: str, name: str) -> None:
    try:
        answer.send(load(kind, name))
    except EngineUnavailable as error:
        answer.send(str(error))


def forked(kind: str, name: str) -> float | str:
    """Seconds in a forked child, or why it could not be loaded."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_child, args=(there, kind, name))
    child.start()
    there.close()  # so that a child that dies is noticed
    told: float | str = here.recv()
    child.join()
    return told


def main() -> None:
    """Print a row for each registered engine."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as config/airflow_local_settings.py does before it preloads
    from avatarlab_ops import preload

    preload.preload()
    for kind, name in engines.known().engines:
        first = forked(kind, name)  # fills the page cache
        if isinstance(first, str):
            print(f"{kind:<8} {name:<16} {first.partition(':')[0]}", flush=True)
            continue
        seconds = statistics.median(float(forked(kind, name)) for _ in range(RUNS))
        print(f"{kind:<8} {name:<16} {seconds:6.2f} s   (median of {RUNS})", flush=True)


if __name__ == "__main__":
    main()
