"""One worker and two beside what the simulation says; processor seconds of each part of the site for a video.

Each worker does one task at a time. The stages' seconds are those of the run itself, so what is held to the
run is how tasks queue and what their boundaries cost, not how a busy machine slows the work. The boundary of
both runs is measured before them: what videos that one worker makes one by one take beyond their work, a
task. What was seen is kept in fleet.json, and a unit test holds the simulation to it.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from avatarlab_ops import pipeline
from avatarlab_ops.cli.client import AirflowClient
from avatarlab_ops.embedded import control
from avatarlab_ops.embedded.sessions import members
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.hosting.simulation import Order, Places, simulate
from avatarlab_ops.places import RENDER_DAG
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import StageState
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects
from benchmarks.orchestration import ended
from benchmarks.stages import PORTRAIT, request

VIDEOS, ALONE = 8, 2
KEPT = Path(__file__).with_name("fleet.json")
IDLE_S = 20.0  # that the site is left alone: what its parts use anyway is not counted to videos
SERVERS = ("postgres", "mongod", "weed", "valkey-server")


def spent(home: Path) -> dict[str, float]:
    """Processor seconds of each part and server since it began, its ended children's too."""
    parts = {name: members(session) for name, session in read_state(home)["sessions"].items()}
    ours = [
        one for one in psutil.process_iter(["cmdline"]) if str(home) in " ".join(one.info["cmdline"] or ())
    ]
    for name in SERVERS:
        roots = [one for one in ours if name in Path((one.info["cmdline"] or [""])[0]).name]
        parts[name] = [*roots, *(child for root in roots for child in root.children(recursive=True))]
    return {name: sum(sum(one.cpu_times()[:4]) for one in set(found)) for name, found in parts.items()}


def play(home: Path, workers: int, first_seed: int) -> tuple[float, list[Order], dict[str, float]]:
    """(seconds from first stage to last end, what was asked for, processor seconds a video by part)."""
    control.up(home, print, workers)
    settings = Settings.from_env()
    with AirflowClient.from_home(home) as client:
        warm = client.order(wish(settings, first_seed))["run_id"]
        ended(client, RENDER_DAG, warm)
        idle = spent(home)
        time.sleep(IDLE_S)
        before, begun_s = spent(home), time.monotonic()
        runs = [client.order(wish(settings, first_seed + n))["run_id"] for n in range(1, VIDEOS + 1)]
        for run in runs:
            ended(client, RENDER_DAG, run)
        after, passed_s = spent(home), time.monotonic() - begun_s
    took_s, told = seen(settings, runs)
    parts = {
        name: (after[name] - before[name] - (before[name] - idle[name]) * passed_s / IDLE_S) / VIDEOS
        for name in idle
    }
    return took_s, told, parts


def wish(settings: Settings, seed: int) -> dict[str, Any]:
    """A sentence at 360p that nobody has asked for."""
    return request(settings, 1, seed, output={"resolution": "360p"})


def seen(settings: Settings, runs: list[str]) -> tuple[float, list[Order]]:
    """Of some runs: seconds from the first stage's begin to the last one's end, and the work they were."""
    with transaction(settings.pg_dsn) as db:
        mine = sa.select(m.StageRun).join(m.Render).where(m.Render.run_id.in_(runs))
        rows = list(db.scalars(mine.where(m.StageRun.state == StageState.DONE)))
    begun = min(row.started_at for row in rows)
    last = max(row.ended_at for row in rows if row.ended_at)
    orders: dict[str, dict[str, float]] = {}
    for row in rows:
        orders.setdefault(row.render_id, {})[row.stage] = row.compute_s
    return (last - begun).total_seconds(), [Order(0.0, seconds) for seconds in orders.values()]


def boundary(home: Path, first_seed: int) -> float:
    """Seconds that a task costs beside its work, of videos that one worker makes one by one."""
    settings, beyond_s, tasks = Settings.from_env(), 0.0, 0
    with AirflowClient.from_home(home) as client:
        for number in range(ALONE + 1):  # the first loads what stays loaded
            run = client.order(wish(settings, first_seed + number))["run_id"]
            ended(client, RENDER_DAG, run)
            took_s, [order] = seen(settings, [run])
            beyond_s += (took_s - sum(order.seconds.values())) if number else 0.0
            tasks += len(order.seconds) if number else 0
    return beyond_s / tasks


def table(home: Path) -> None:
    """Print both runs beside what is simulated, then the parts."""
    boundary_s, kept = boundary(home, time.time_ns() % 2**31), []
    for workers in (1, 2):
        took_s, orders, parts = play(home, workers, time.time_ns() % 2**31)
        tasks = sum(len(order.seconds) for order in orders)
        work_s = sum(seconds for order in orders for seconds in order.seconds.values())
        run = {"workers": workers, "took_s": took_s, "boundary_s": boundary_s}
        kept.append(run | {"orders": [dict(order.seconds) for order in orders]})
        said = simulate(orders, Places(gpu=2, cpu=4, workers=workers, boundary_s=boundary_s)).makespan_s
        print(
            f"{workers} worker(s): {VIDEOS} videos, {tasks} tasks, {work_s:.1f} s of work in {took_s:.1f} s",
            end="",
        )
        print(f"; simulated {said:.1f} s ({said / took_s - 1:+.1%}), boundary {boundary_s:.2f} s", flush=True)
        for name, seconds in sorted(parts.items()):
            print(f"    {name:<16} {seconds:6.2f} processor seconds a video")
        control.down(home)
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Start an Airflow of its own with one worker, then with two."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        home = Path(folder) / "state"
        os.environ |= {
            "AVATARLAB_HOME": str(home), "AVATARLAB_PORT": "0", "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
        }  # fmt: skip
        try:
            control.up(home, print, 1)
            settings = Settings.from_env()
            pipeline.prepare_stores(settings)
            objects(settings).put_if_absent(settings.bucket_inputs, "bench/astronaut.png", PORTRAIT)
            table(home)
        finally:
            control.down(home)


if __name__ == "__main__":
    main()
