"""What parsing each DAG file costs beside importing Airflow's own SDK, in the same fresh process.

Processor time, as a process that parses DAGs has to spend it; the modules it adds beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 5
LOOK = """
import importlib, json, sys, time
def spent(*names):
    before, begun = len(sys.modules), time.process_time()
    for name in names:
        importlib.import_module(name)
    return time.process_time() - begun, len(sys.modules) - before
print(json.dumps([spent("airflow.sdk", "pydantic"), spent(sys.argv[1])]))
"""


def look(dag: str, home: str) -> tuple[float, float, int]:
    """Seconds of Airflow's SDK, seconds of the DAG file after it, modules that the file added."""
    env = os.environ | {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("dags", "plugins", "")),
    }
    command = [sys.executable, "-c", LOOK, dag]
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    (sdk_s, _), (dag_s, modules) = json.loads(told.splitlines()[-1])
    return sdk_s, dag_s, modules


def main() -> None:
    """Print a row for each DAG: the best of RUNS, after one that compiles."""
    with tempfile.TemporaryDirectory() as home:
        for dag in sorted(path.stem for path in (ROOT / "dags").glob("avatar_*.py")):
            look(dag, home)
            sdk_s, dag_s, modules = min((look(dag, home) for _ in range(RUNS)), key=lambda found: found[1])
            print(f"{dag:<20} {dag_s:5.2f} s, {modules} modules   airflow.sdk {sdk_s:5.2f} s", flush=True)


if __name__ == "__main__":
    main()
