"""What one more item of a bulk run costs when it shares its avatar, beside its own compute.

Marginal cost: the seconds by which a bulk run of more items takes longer, an item. Own compute: what speech,
lip-sync and composite of those items took themselves in the same runs. One process goes through every stage
(`bulk.work.run`: planning, admission, stores, publication, report), so that nothing overlaps; in Airflow
(`avatar_regenerate`) three such processes work side by side, and share the cores with Airflow itself.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from avatarlab_ops import pipeline
from avatarlab_ops.bulk import work as bulk
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.cli.client import AirflowClient
from avatarlab_ops.embedded import control
from avatarlab_ops.places import BULK_DAG
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects
from benchmarks.orchestration import ended, seconds
from benchmarks.stages import PORTRAIT, SENTENCE

OWN = ("speech", "lipsync", "composite")
# name -> (script, resolution, aspect, items of the smaller run, of the larger one)
SIZES = {"a word, 360p": ("Go.", "360p", "1:1", 2, 14), "a sentence, 720p": (SENTENCE, "720p", "16:9", 1, 5)}
IN_AIRFLOW = {"a word, 360p": (25, 125), "a sentence, 720p": (6, 24)}  # items: whole batches
Work = Callable[[Settings, str, str], float]


def run(settings: Settings, size: str, items: int, work: Work) -> tuple[float, float]:
    """(wall clock, own compute) in seconds of one bulk run whose items differ by their seed."""
    script, resolution, aspect, *_ = SIZES[size]
    text, first = io.StringIO(), time.time_ns()
    writer = csv.writer(text)
    writer.writerow(["script", "avatar.uri", "output.resolution", "output.aspect", "captions", "seed"])
    avatar = f"s3://{settings.bucket_inputs}/bench/astronaut.png"
    seeds = [(first + number) % 2**32 for number in range(items)]
    writer.writerows([script, avatar, resolution, aspect, "none", seed] for seed in seeds)
    name = f"bench-{first}"
    objects(settings).put_if_absent(settings.bucket_inputs, f"bench/{name}.csv", text.getvalue().encode())
    took_s = work(settings, f"s3://{settings.bucket_inputs}/bench/{name}.csv", name)
    return took_s, own_compute(settings, name, items)


def in_one_process(settings: Settings, file: str, name: str) -> float:
    """Seconds of a bulk run in this process."""
    started = time.perf_counter()
    bulk.run(settings, BulkRequest.parse({"file": file}), bulk_id=name)
    return time.perf_counter() - started


def in_airflow(client: AirflowClient) -> Work:
    """Seconds of a bulk run from queued to ended."""

    def work(settings: Settings, file: str, name: str) -> float:  # noqa: ARG001
        run_id = client.regenerate({"file": file, "name": name}, name)
        return seconds(ended(client, BULK_DAG, run_id))

    return work


def own_compute(settings: Settings, bulk_id: str, items: int) -> float:
    """Seconds that the items' own stages took."""
    mine = m.BulkItem.bulk_id == bulk_id
    query = sa.select(sa.func.sum(m.StageRun.compute_s)).where(
        mine, m.StageRun.render_id == m.BulkItem.render_id, m.StageRun.stage.in_(OWN)
    )
    with transaction(settings.pg_dsn) as db:
        states = db.scalars(sa.select(m.BulkItem.state).where(mine)).all()
        assert states == ["published"] * items
        return float(db.scalar(query) or 0.0)


def marginal(settings: Settings, size: str, few: int, many: int, work: Work) -> list[float]:
    """[wall clock, own compute] of one more item; a first run pays for the avatar and loads the engines."""
    run(settings, size, 1, work)
    less, more = (run(settings, size, items, work) for items in (few, many))
    return [(more[i] - less[i]) / (many - few) for i in (0, 1)]


def table(settings: Settings, client: AirflowClient) -> None:
    """Print both ways and both sizes."""
    print(f"{'item':<30} {'marginal s':>10} {'own compute s':>13} {'ratio':>6}")
    for size, (*_, few, many) in SIZES.items():
        ways = ("one process", few, many, in_one_process), ("Airflow", *IN_AIRFLOW[size], in_airflow(client))
        for name, less, more, work in ways:
            took_s, own_s = marginal(settings, size, less, more, work)
            row = f"{f'{size}, {name}':<30} {took_s:>10.2f} {own_s:>13.2f} {took_s / own_s:>6.2f}"
            print(row, flush=True)


def main() -> None:
    """Start an Airflow of its own, where one process finds its stores too."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {"AVATARLAB_HOME": str(home), "AVATARLAB_PORT": "0"}
        try:
            control.up(home, print)
            settings = Settings.from_env()
            pipeline.prepare_stores(settings)
            objects(settings).put_if_absent(settings.bucket_inputs, "bench/astronaut.png", PORTRAIT)
            with AirflowClient.from_home(home) as client:
                table(settings, client)
        finally:
            control.down(home)


if __name__ == "__main__":
    main()
