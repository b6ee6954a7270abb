"""One worker and two beside what the simulation says; processor seconds of each part of the site for a video.

Each worker does one task at a time. The stages' seconds are those of the run itself, so what is held to the
run is how tasks queue and what their boundaries cost, not how a busy machine slows the work. The boundary of
both runs is measured at one worker: what its makespan has beyond its work, a task.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import psutil
import sqlalchemy as sa

from avatarlab_ops import pipeline
from avatarlab_ops.cli.client import DAG, AirflowClient
from avatarlab_ops.embedded import control
from avatarlab_ops.embedded.sessions import members
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.hosting.simulation import Order, Places, simulate
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import StageState
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects
from benchmarks.orchestration import ended
from benchmarks.stages import PORTRAIT, request

VIDEOS = 8
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
        warm = client.order(request(settings, 1, first_seed, output={"resolution": "360p"}))["run_id"]
        ended(client, DAG, warm)
        idle = spent(home)
        time.sleep(IDLE_S)
        before, begun_s = spent(home), time.monotonic()
        wishes = [
            request(settings, 1, first_seed + n, output={"resolution": "360p"}) for n in range(1, VIDEOS + 1)
        ]
        runs = [client.order(wish)["run_id"] for wish in wishes]
        for run in runs:
            ended(client, DAG, run)
        after, passed_s = spent(home), time.monotonic() - begun_s
    with transaction(settings.pg_dsn) as db:
        mine = sa.select(m.StageRun).join(m.Render).where(m.Render.run_id.in_(runs))
        mine = mine.where(m.StageRun.state == StageState.DONE)
        rows = list(db.scalars(mine))
    begun = min(row.started_at for row in rows)
    last = max(row.ended_at for row in rows if row.ended_at)
    orders: dict[str, dict[str, float]] = {}
    for row in rows:
        orders.setdefault(row.render_id, {})[row.stage] = row.compute_s
    told = [Order(0.0, seconds) for seconds in orders.values()]
    parts = {
        name: (after[name] - before[name] - (before[name] - idle[name]) * passed_s / IDLE_S) / VIDEOS
        for name in idle
    }
    return (last - begun).total_seconds(), told, parts


def table(home: Path) -> None:
    """Print both runs beside what is simulated, then the parts."""
    boundary_s = 0.0
    for workers in (1, 2):
        took_s, orders, parts = play(home, workers, time.time_ns() % 2**31)
        tasks = sum(len(order.seconds) for order in orders)
        work_s = sum(seconds for order in orders for seconds in order.seconds.values())
        if workers == 1:
            boundary_s = max(0.0, (took_s - work_s) / tasks)
        said = simulate(orders, Places(gpu=2, cpu=4, workers=workers, boundary_s=boundary_s)).makespan_s
        print(
            f"{workers} worker(s): {VIDEOS} videos, {tasks} tasks, {work_s:.1f} s of work in {took_s:.1f} s",
            end="",
        )
        print(f"; simulated {said:.1f} s ({said / took_s - 1:+.1%}), boundary {boundary_s:.2f} s", flush=True)
        for name, seconds in sorted(parts.items()):
            print(f"    {name:<16} {seconds:6.2f} processor seconds a video")
        control.down(home)


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
