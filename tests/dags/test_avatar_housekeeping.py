"""The housekeeping DAG as Airflow sees it: light, daily by itself, and by hand only reporting unless told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_avatar_render import beyond

ROOT = Path(__file__).parents[2]
LOOK = """
import json, sys
import airflow.sdk, pydantic
before = set(sys.modules)
import avatar_housekeeping, avatarlab_keeping
dag = avatar_housekeeping.dag
print(json.dumps({
    "imported": sorted(set(sys.modules) - before),
    "tasks": [task.task_id for task in dag.tasks], "pools": [task.pool for task in dag.tasks],
    "schedule": str(dag.schedule), "start": str(dag.start_date),
    "applies": {kind: avatarlab_keeping.applies(kind, dry_run=True) for kind in ("scheduled", "manual")},
    "defaults": {name: dag.params[name] for name in dag.params},
}))
"""


def look(home: Path, **variables: str) -> dict[str, Any]:
    env = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("dags", "plugins", "")),
        **variables,
    }
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def dag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("airflow"))


def test_import_is_light(dag: dict[str, Any]) -> None:
    assert not beyond(dag["imported"])
    assert len(dag["imported"]) < 150, "each module is loaded by every task and every parse"


def test_it_runs_daily_by_itself_and_by_hand_only_reports_unless_told(dag: dict[str, Any]) -> None:
    assert (dag["tasks"], dag["pools"]) == (["keep_house"], ["cpu"])
    assert dag["defaults"] == {"dry_run": True, "days": 30, "max_gib": None}
    assert "daily" in dag["schedule"] or "0 0 * * *" in dag["schedule"]
    assert dag["start"] < "2026-11", "without a past start a machine that is off at midnight never runs it"
    assert dag["applies"] == {"scheduled": True, "manual": False}


@pytest.mark.parametrize(("said", "schedule"), [("report", True), ("off", False)])
def test_an_operator_has_it_report_alone_or_not_run(tmp_path: Path, said: str, schedule: bool) -> None:
    dag = look(tmp_path, AVATARLAB_HOUSEKEEPING=said)
    assert (dag["schedule"] != "None", dag["applies"]["scheduled"]) == (schedule, False)
