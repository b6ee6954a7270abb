"""Loads what every task needs once in the scheduler or a Celery worker, before it forks.

Airflow imports this module in every component; only what these two fork runs tasks. A task child that
finds its modules loaded starts in some 20 ms instead of two to four seconds. `avatarlab_ops.preload` says
what is loaded, and why nothing with a thread. Code that changes is seen after `avatarlab down` and `up`.
"""

import importlib
import os
import sys

# Without it NumPy's, SciPy's and OpenCV's OpenBLAS would each start a thread pool when they are imported.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


def preload() -> None:
    """Load the task runner, the stages with their stores, the DAG, and $AVATARLAB_PRELOAD (a,b,...)."""
    os.environ.update(ONE_THREAD)
    sys.path.append(importlib.import_module("airflow.configuration").conf.get("core", "dags_folder"))
    asked = [name for name in os.environ.get("AVATARLAB_PRELOAD", "").split(",") if name]
    for name in ["airflow.sdk.execution_time.task_runner", "avatarlab_ops.preload", "avatar_render", *asked]:
        try:
            module = importlib.import_module(name)
            if name == "avatarlab_ops.preload":
                module.preload()
        except ImportError as error:
            # The scheduler must come up even so: who uses the module will say what is wrong with it.
            print(f"avatarlab: {name} is not preloaded: {error}", file=sys.stderr)


if sys.argv[1:2] == ["scheduler"] or sys.argv[1:3] == ["celery", "worker"]:
    preload()

__all__: list[str] = []
