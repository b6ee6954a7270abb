"""A bulk run of short items on a running site: ordered, watched, and every item accounted for."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter

import psutil
import sqlalchemy as sa
from kit.eventually import eventually
from kit.running_site import AVATAR, Site

from avatarlab_ops import pipeline
from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.fields import split_reference
from avatarlab_ops.places import BULK_DAG, OVER
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects

END_S = 3000.0  # 200 items take a few minutes on an idle machine
WORDS = ("Go.", "Yes.", "No.", "Stay.", "Now.", "Here.", "Two.", "Stop.")


def order(site: Site, name: str, items: int, first_seed: int = 0) -> None:
    """Begin a bulk run; runs whose seeds differ share the face track and nothing else."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["script", "avatar.uri", "output.resolution", "output.aspect", "captions", "seed"])
    seeds = range(first_seed, first_seed + items)
    writer.writerows([WORDS[n % len(WORDS)], AVATAR, "360p", "1:1", "none", n] for n in seeds)
    pipeline.prepare_stores(site.settings)  # the tables that are read here; the first task makes them else
    objects(site.settings).put_if_absent("inputs", f"bulk/{name}.csv", text.getvalue().encode())
    site.client.trigger(name, {"file": f"s3://inputs/bulk/{name}.csv", "name": name}, BULK_DAG)


def finished(site: Site, name: str) -> str:
    """The bulk run's final state; Airflow may be away meanwhile."""

    def state() -> str | None:
        now = str(site.client.run(name, BULK_DAG)["state"])
        return now if now in OVER else None

    return eventually(state, AvatarlabError, psutil.NoSuchProcess, end_s=END_S)


def published(site: Site, name: str) -> int:
    """How many of its items are published."""
    mine = sa.select(sa.func.count()).where(m.BulkItem.bulk_id == name, m.BulkItem.render_id == m.Render.id)
    with transaction(site.settings.pg_dsn) as db:
        return db.scalar(mine.where(m.Render.state == "published")) or 0


def check_results(site: Site, name: str, items: int) -> None:
    """Exactly one published render, one video in the store and one line in the report for each item."""
    with transaction(site.settings.pg_dsn) as db:
        rows = sa.select(m.Render).join(m.Request).where(m.Request.idempotency_key.like(f"bulk:{name}:%"))
        renders = list(db.scalars(rows))
        runs = sa.select(m.StageRun.artifact, m.StageRun.stage, m.StageRun.state).where(
            m.StageRun.render_id.in_([render.id for render in renders]), m.StageRun.artifact.is_not(None)
        )
        made = [row.artifact for row in db.execute(runs) if row.state == "done"]
        stages = {row.artifact: row.stage for row in db.execute(runs)}
    assert Counter(render.state for render in renders) == {"published": items}
    store = objects(site.settings)
    videos = [key for key in store.keys("outputs", "renders/") if key.endswith("/video.mp4")]
    mine = [key for key in videos if key.split("/")[1] in {render.id for render in renders}]
    assert len(mine) == items
    assert max(Counter(made).values()) == 1, "an artifact was made by two stages"
    each = dict.fromkeys(("speech", "lipsync", "composite", "publish"), items)
    assert Counter(stages.values()) == {"face": 1, **each}
    report = json.loads(store.read(*split_reference(f"s3://outputs/bulk/{name}/report.json")))
    assert report["states"] == {"published": items}
    assert len({item["video"] for item in report["items"]}) == items
    told = documents(site.settings).database["lineage_events"]
    assert told.count_documents({"run.facets.avatarlab_bulk.bulkRun": name}) == 1
