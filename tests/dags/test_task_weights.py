"""What tasks weigh in the pools' queues, as the scheduler reckons it from the DAG that it keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOOK = """
import json
import airflow.sdk
from airflow.models.taskinstance import TaskInstance
from airflow.serialization.serialized_objects import DagSerialization
from avatar_render import dag

kept = DagSerialization.from_dict(DagSerialization.to_dict(dag))
version = "0199b0a0-0000-7000-8000-000000000000"

def weight(task, run):
    return TaskInstance(task=task, run_id=f"{run}20261130", dag_version_id=version).priority_weight

print(json.dumps({
    run: {name: weight(task, run) for name, task in kept.task_dict.items()}
    for run in ("render-", "interactive-", "manual__")
}))
"""


def test_an_interactive_runs_first_task_outweighs_all_others_and_what_was_begun_what_was_not(
    tmp_path: Path,
) -> None:
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("dags", "plugins", "")),
    }
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["render-"] == told["manual__"]
    assert min(told["interactive-"].values()) > max(told["render-"].values())
    for weights in told.values():
        assert weights["admit"] < weights["speech"] < weights["lipsync"] < weights["publish"]
