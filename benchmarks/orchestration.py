"""What each executor adds to a render, beside a bare chain of as many empty tasks; what engines cost to load.

On LocalExecutor, then on one Celery worker. Engines are loaded by the tasks of the renders that are counted,
each in a process of its own, as their traces tell.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from avatarlab_ops import graph
from avatarlab_ops.cli.client import AirflowClient
from avatarlab_ops.embedded import control
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from benchmarks.stages import request

ROOT = Path(__file__).parents[1]
RUNS = 5
EMPTY_CHAIN = '''"""As many empty tasks as a render has stages, in one chain."""

from airflow.sdk import DAG, task

with DAG("empty_chain", schedule=None):
    previous = None
    for number in range({tasks}):

        @task(task_id=f"task{{number}}", pool="cpu")
        def nothing() -> None:
            """Do nothing."""

        current = nothing()
        if previous is not None:
            previous >> current
        previous = current
'''


def seconds(run: dict[str, str]) -> float:
    """From queued to ended."""
    return (
        datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["queued_at"])
    ).total_seconds()


def _begun(client: AirflowClient, url: str) -> dict[str, str]:
    """Airflow's record of a run, nothing while it has not begun: an order is answered before."""
    answer = client._call("GET", url, accept=(404,))
    return dict(answer.json()) if answer.is_success else {}


def ended(client: AirflowClient, dag: str, run_id: str) -> dict[str, str]:
    """Airflow's record of a run once it has succeeded."""
    url = f"/api/v2/dags/{dag}/dagRuns/{run_id}"
    while (run := _begun(client, url)).get("state") not in ("success", "failed"):
        time.sleep(0.2)
    assert run["state"] == "success", f"{dag} {run_id} failed"
    return dict(run)


def empty_chain(client: AirflowClient) -> float:
    """Seconds from queued to ended of one chain of empty tasks."""
    run_id = f"bench-{time.time_ns()}"
    client.trigger(run_id, {}, dag="empty_chain")
    return seconds(ended(client, "empty_chain", run_id))


def render(client: AirflowClient, settings: Settings) -> tuple[float, float]:
    """(wall clock, sum of the stages' compute) in seconds of one uncached 360p render of one sentence."""
    data = request(settings, 1, time.time_ns() % 2**32, output={"resolution": "360p"})
    run_id = client.order(data)["run_id"]
    wall_s = seconds(ended(client, "avatar_render", run_id))
    render_id = client.xcom(run_id, "admit", "render_id")
    return wall_s, sum(stage.compute_s for stage in status.of(settings, render_id).stages)


def table(client: AirflowClient, settings: Settings) -> list[str]:
    """Medians over a few runs each, after one of each that is not counted."""
    empty_chain(client)
    render(client, settings)
    chain_s = statistics.median(empty_chain(client) for _ in range(RUNS))
    rendered = [render(client, settings) for _ in range(RUNS)]
    overhead_s = statistics.median(wall - compute for wall, compute in rendered)
    return [
        f"render: wall clock          {statistics.median(wall for wall, _ in rendered):6.2f} s",
        f"render: sum of compute      {statistics.median(compute for _, compute in rendered):6.2f} s",
        f"render: overhead            {overhead_s:6.2f} s   (median of {RUNS})",
        f"empty chain, {len(graph.STAGES)} tasks        {chain_s:6.2f} s   (median of {RUNS})",
        f"overhead / empty chain      {overhead_s / chain_s:6.2f}",
    ]


def engines_loaded(spans: list[Any]) -> list[str]:
    """What the tasks spent until each engine was ready, by the spans that they sent."""
    loads: dict[str, list[float]] = defaultdict(list)
    for span in spans:
        if span.name == "load engine":
            named = {one.key: one.value.string_value for one in span.attributes}
            loads[named["avatarlab.engine"]].append(
                (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
            )
    return [
        f"cold {name:<24} {statistics.median(found):6.2f} s   (median of {len(found)})"
        for name, found in sorted(loads.items())
    ]


def main() -> None:
    """Start an Airflow of its own for each executor, with the empty chain beside the product's DAGs."""
    sys.path.insert(0, str(ROOT / "tests"))
    from kit.otlp import collecting

    for workers, executor in enumerate(("LocalExecutor", "CeleryExecutor, one worker")):
        with tempfile.TemporaryDirectory() as folder, collecting() as collector:
            home, dags = Path(folder) / "state", Path(folder) / "dags"
            shutil.copytree(ROOT / "dags", dags)
            (dags / "empty_chain.py").write_text(EMPTY_CHAIN.format(tasks=len(graph.STAGES)))
            os.environ |= collector.environment | {
                "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
                "AVATARLAB_HOME": str(home),
                "AVATARLAB_PORT": "0",
            }
            try:
                control.up(home, lambda _: None, workers)
                with AirflowClient.from_home(home) as client:
                    rows = table(client, Settings.from_env())
                print(executor, *rows, *engines_loaded(collector.spans), sep="\n", flush=True)
            finally:
                control.down(home)


if __name__ == "__main__":
    main()
