"""What is left after a storm, read off the catalog, MongoDB, the object store and Airflow's database."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
import sqlalchemy as sa

from avatarlab_ops import engines
from avatarlab_ops.embedded import airflow
from avatarlab_ops.engines import device
from avatarlab_ops.lineage.query import trace
from avatarlab_ops.places import RENDER_DAG
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects


@dataclass(frozen=True)
class Render:
    """A render as it ended; `key`: of its request."""

    id: str
    key: str
    state: str
    error: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class Item:
    """An item of a bulk run as it ended."""

    bulk: str
    key: str
    state: str
    render_id: str | None = None


@dataclass(frozen=True)
class Made:
    """An artifact: its files' keys with their digests; how long its maker held so many slots of a device."""

    stage: str
    files: dict[str, str]
    until: datetime
    compute_s: float = 0.0
    slots: int = 0


@dataclass
class History:
    """All that the promises are held against."""

    answers: dict[str, set[str]] = field(default_factory=dict)  # key of an order -> render ids answered
    bulk: dict[str, int] = field(default_factory=dict)  # accepted bulk run -> its items
    renders: list[Render] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    stages: list[tuple[str, str, str, str | None]] = field(default_factory=list)  # render, stage, state, made
    artifacts: dict[str, Made] = field(default_factory=dict)  # by fingerprint
    # render -> name of a file -> its key and sha256
    published: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)  # bucket/key -> sha256 of the bytes that lie there
    promised: dict[str, str | None] = field(default_factory=dict)  # bucket/key -> the sha256 that it carries
    manifests: dict[str, dict[str, str]] = field(default_factory=dict)  # MongoDB: render -> name -> sha256
    completions: dict[str, int] = field(default_factory=dict)  # lineage events that tell a render's end
    untraced: dict[str, str] = field(default_factory=dict)  # render -> what its lineage lacks
    runs: dict[str, str] = field(default_factory=dict)  # Airflow: DAG run of a render -> state
    tasks_open: list[str] = field(default_factory=list)  # Airflow: tasks that have not ended
    outbox: dict[str, int] = field(default_factory=dict)  # waiting, dead
    places: int = 0  # of the device
    most_held: int = 0  # slots seen held at one time
    steps: list[tuple[datetime, datetime]] = field(default_factory=list)  # when times of records are not true


def read(settings: Settings, history: History) -> None:
    """Fill in what the stores hold. Bytes are read whole, so that what is promised of them is checked."""
    _catalog(settings, history)
    _objects(settings, history)
    _documents(settings, history)
    runs_and_tasks(settings, history)
    history.places = device.places()
    for render in history.renders:
        if render.state == "published" and (lack := _lack(trace(settings, render.id))):
            history.untraced[render.id] = lack


def _catalog(settings: Settings, history: History) -> None:
    with transaction(settings.pg_dsn) as db:
        rows = sa.select(m.Render, m.Request.idempotency_key, m.Request.id).join(m.Request)
        history.renders = [
            Render(r.id, key or request, r.state, r.error, r.run_id) for r, key, request in db.execute(rows)
        ]
        history.items = [
            Item(i.bulk_id, i.key, i.state, i.render_id) for i in db.scalars(sa.select(m.BulkItem))
        ]
        stages = sa.select(m.StageRun.render_id, m.StageRun.stage, m.StageRun.state, m.StageRun.artifact)
        history.stages = [(*row,) for row in db.execute(stages)]
        history.artifacts = dict(_made(db))
        for file in db.scalars(sa.select(m.PublishedFile)):
            key = file.uri.removeprefix("s3://")
            history.published.setdefault(file.render_id, {})[file.name] = (key, file.sha256)
        waiting = sa.and_(m.Outbox.delivered_at.is_(None), m.Outbox.dead_at.is_(None))
        count = sa.select(sa.func.count()).select_from(m.Outbox)
        history.outbox = {
            "waiting": db.scalar(count.where(waiting)) or 0,
            "dead": db.scalar(count.where(m.Outbox.dead_at.is_not(None))) or 0,
        }


def _made(db: sa.orm.Session) -> Iterator[tuple[str, Made]]:
    rows = sa.select(m.Artifact, m.EngineVersion.kind, m.EngineVersion.name)
    joined = rows.outerjoin(m.EngineVersion, m.EngineVersion.id == m.Artifact.engine_version_id)
    for made, kind, name in db.execute(joined.where(m.Artifact.evicted_at.is_(None))):
        files = {f"artifacts/{file['key']}": file["sha256"] for file in made.files.values()}
        slots = engines.info(kind, name).slots if kind else 0
        yield made.fingerprint, Made(made.stage, files, made.created_at, made.compute_s, slots)


def _objects(settings: Settings, history: History) -> None:
    store = objects(settings)
    for bucket in ("artifacts", "outputs"):
        for key in store.keys(bucket):
            known = store.head(bucket, key)
            history.promised[f"{bucket}/{key}"] = known.sha256 if known else None
            history.objects[f"{bucket}/{key}"] = hashlib.sha256(store.read(bucket, key)).hexdigest()


def _documents(settings: Settings, history: History) -> None:
    database = documents(settings).database
    for document in database["manifests"].find({}, {"outputs": 1}):
        named = document["outputs"].items()
        history.manifests[str(document["_id"])] = {name: str(file["sha256"]) for name, file in named}
    ends = {"eventType": "COMPLETE", "run.facets.avatarlab_render.renderId": {"$exists": True}}
    events = database["lineage_events"].find(ends, {"run.facets.avatarlab_render.renderId": 1})
    named = (event["run"]["facets"]["avatarlab_render"]["renderId"] for event in events)
    history.completions = dict(Counter(named))


def runs_and_tasks(settings: Settings, history: History) -> None:
    """What Airflow's own database says of renders' runs and of all tasks."""
    with psycopg.connect(airflow.metadata_dsn(settings)) as db:
        runs = db.execute("SELECT run_id, state FROM dag_run WHERE dag_id = %s", [RENDER_DAG])
        history.runs = {str(run): str(state) for run, state in runs}
        ended = "('success', 'failed', 'skipped', 'upstream_failed', 'removed')"
        tasks = db.execute(
            "SELECT dag_id, run_id, task_id, state FROM task_instance "  # noqa: S608 (a constant)
            f"WHERE state IS NOT NULL AND state NOT IN {ended}"
        )
        history.tasks_open = [" ".join(str(part) for part in row) for row in tasks]


def _lack(document: dict[str, Any]) -> str:
    """What the lineage of a published video should name and does not; "" where all is there."""
    made = document["artifacts"].values()
    held = {
        "request": bool(document["request"].get("body")),
        "input": bool(document["inputs"].get("avatar", {}).get("sha256")),
        "engine": any(one["engine"] for one in made),
        "weights": any(one["engine"] and one["engine"]["weights"] for one in made),
        "parameters": all(one["params"] is not None for one in made),
        "code version": all(one["code_version"] for one in made),
        "consent": bool(document["consents"]),
        "files": {"video.mp4", "manifest.json"} <= document["files"].keys(),
    }
    return ", ".join(name for name, there in held.items() if not there)


def steps(begun: datetime, spells: list[tuple[float, float, float]]) -> list[tuple[datetime, datetime]]:
    """When a record's time is not true, or is that of another moment: the clock was stepped.

    `spells`: (begin, end, step) in seconds after `begun`. A time within a step is not true; one that lies
    where a stepped clock pointed may have been written during the step.
    """
    margin, found = timedelta(seconds=1), []
    for start_s, end_s, step_s in spells:
        start, end = begun + timedelta(seconds=start_s), begun + timedelta(seconds=end_s)
        shift = timedelta(seconds=step_s)
        found += [(start - margin, end + margin), (start + shift - margin, end + shift + margin)]
    return found
