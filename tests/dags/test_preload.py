"""What the scheduler loads before it forks: everything a stage imports, and no thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from avatarlab_ops.graph import STAGES

ROOT = Path(__file__).parents[2]
LOOK = """
import json, os, sys
import airflow.sdk
print(json.dumps({"threads": len(os.listdir("/proc/self/task")), "modules": sorted(sys.modules)}))
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
    assert {f"avatarlab_ops.stages.{stage}" for stage in STAGES} | {"avatar_render"} <= set(seen["modules"])
    assert not {"torch", "onnxruntime"} & set(seen["modules"])
