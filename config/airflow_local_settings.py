"""Loads what every task needs once in the scheduler, before it forks its workers.

Airflow imports this module in every component; only the scheduler's workers run tasks. A task child that
finds the modules already loaded parses its DAG file in some 20 ms, else in about a second. Imports only: a
thread or a tensor operation before the fork would hang or crash the children.
"""

import importlib
import os
import sys


def _preload() -> None:
    modules = ["airflow.sdk", "airflow.sdk.execution_time.task_runner", "avatarlab_ops.pipeline"]
    modules += [name for name in os.environ.get("AVATARLAB_PRELOAD", "").split(",") if name]
    for name in modules:
        importlib.import_module(name)

    sys.path.append(importlib.import_module("airflow.configuration").conf.get("core", "dags_folder"))
    importlib.import_module("avatar_render")


if sys.argv[1:2] == ["scheduler"]:
    try:
        _preload()
    except ImportError as error:
        # The scheduler must come up even so; the DAG's own import error is what people then see in the UI.
        print(f"avatarlab: preload skipped: {error}", file=sys.stderr)

__all__: list[str] = []
