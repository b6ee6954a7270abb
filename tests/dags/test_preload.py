"""What the scheduler loads before it forks: everything a stage imports or reads, and no thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from avatarlab_ops.preload import MODULES

ROOT = Path(__file__).parents[2]
LOOK = """
import json, os, sys
import airflow.sdk
from avatarlab_ops import version
from avatarlab_ops.engines.speech.spoken import lexicon
from avatarlab_ops.stores import objects
caches = {"lexicon": lexicon, "s3": objects._session}
caches |= {"code_version": version.code_version, "environment": version.environment}
print(json.dumps({
    "threads": len(os.listdir("/proc/self/task")), "modules": sorted(sys.modules),
    "read": {name: cache.cache_info().currsize for name, cache in caches.items()},
}))
"""


def test_stages_are_loaded_and_no_thread_is_started(tmp_path: Path) -> None:
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("config", "plugins", "")),
    }
    done = subprocess.run(
        [sys.executable, "-c", LOOK, "scheduler"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "not preloaded" not in done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["threads"] == 1
    assert {*MODULES, "avatar_render"} <= set(seen["modules"])
    assert seen["read"] == {"lexicon": 1, "s3": 1, "code_version": 1, "environment": 1}
    assert not {"torch", "onnxruntime"} & set(seen["modules"])
