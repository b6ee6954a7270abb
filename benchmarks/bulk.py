"""What one more item of a bulk run costs when it shares its avatar, beside its own compute.

Marginal cost: the seconds by which a bulk run of more items takes longer, an item. Own compute: what speech,
lip-sync and composite of those items took themselves. Both runs go through one process and every stage
(`bulk.work.run`: planning, admission, stores, publication, report), so that nothing overlaps and the ratio is
the most it can be; in Airflow three such processes work side by side.
"""

from __future__ import annotations

import csv
import io
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from avatarlab_ops import pipeline
from avatarlab_ops.bulk import work
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.embedded import servers
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import models as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects
from benchmarks.stages import PORTRAIT, SENTENCE

OWN = ("speech", "lipsync", "composite")
SIZES = {"a word, 360p": ("Go.", "360p", "1:1", 2, 14), "a sentence, 720p": (SENTENCE, "720p", "16:9", 1, 5)}


def run(settings: Settings, script: str, resolution: str, aspect: str, *, items: int) -> tuple[float, float]:
    """(wall clock, own compute) in seconds of one bulk run whose items differ by their seed."""
    text, first = io.StringIO(), time.time_ns()
    writer = csv.writer(text)
    writer.writerow(["script", "avatar.uri", "output.resolution", "output.aspect", "captions", "seed"])
    avatar = f"s3://{settings.bucket_inputs}/bench/astronaut.png"
    seeds = [(first + number) % 2**32 for number in range(items)]
    writer.writerows([script, avatar, resolution, aspect, "none", seed] for seed in seeds)
    name = f"bench-{first}"
    objects(settings).put_if_absent(settings.bucket_inputs, f"bench/{name}.csv", text.getvalue().encode())
    asked = BulkRequest.parse({"file": f"s3://{settings.bucket_inputs}/bench/{name}.csv"})
    started = time.perf_counter()
    done = work.run(settings, asked, bulk_id=name)
    took_s = time.perf_counter() - started
    assert done.states == {"published": items}
    return took_s, own_compute(settings, name)


def own_compute(settings: Settings, bulk_id: str) -> float:
    """Seconds that the items' own stages took."""
    query = sa.select(sa.func.sum(m.StageRun.compute_s)).where(
        m.BulkItem.bulk_id == bulk_id, m.StageRun.render_id == m.BulkItem.render_id, m.StageRun.stage.in_(OWN)
    )
    with transaction(settings.pg_dsn) as db:
        return float(db.scalar(query) or 0.0)


def row(settings: Settings, name: str) -> str:
    """One line of the table; the first run also pays for the avatar and for loading the engines."""
    script, resolution, aspect, few, many = SIZES[name]
    run(settings, script, resolution, aspect, items=1)
    less, more = (run(settings, script, resolution, aspect, items=items) for items in (few, many))
    marginal_s, own_s = ((more[i] - less[i]) / (many - few) for i in (0, 1))
    return f"{name:<18} {marginal_s:>18.2f} {own_s:>16.2f} {marginal_s / own_s:>6.2f}"


def main() -> None:
    """Print both sizes."""
    with tempfile.TemporaryDirectory() as home:
        settings = servers.ensure(Path(home))
        try:
            pipeline.prepare(settings)
            objects(settings).put_if_absent(settings.bucket_inputs, "bench/astronaut.png", PORTRAIT)
            print(f"{'item (one process)':<18} {'marginal s an item':>18} {'own compute s':>16} {'ratio':>6}")
            for name in SIZES:
                print(row(settings, name), flush=True)
        finally:
            servers.stop(Path(home))


if __name__ == "__main__":
    main()
