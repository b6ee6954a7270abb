"""Two Celery workers share a bulk run, and one of them dies with everything it had begun."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

import pytest
import sqlalchemy as sa
from kit.bulk_orders import END_S, check_results, finished, order, published
from kit.running_site import Site, request, running
from test_kill import check_artifacts, wait

from avatarlab_ops import engines, pipeline
from avatarlab_ops.cli.client import AirflowClient
from avatarlab_ops.embedded import control
from avatarlab_ops.embedded.sessions import signal_session
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.engines import device
from avatarlab_ops.graph import GPU_STAGES
from avatarlab_ops.places import BULK_DAG
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction

ITEMS = 60
ITEMS_EACH = 20  # that two workers make, and then one
TASKS = 20  # that ask for the device at the same time
WORKERS = ("worker-1", "worker-2")
Spell = tuple[datetime, datetime, int]  # from, until, slots


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two workers, and a pool that lets more tasks start than the device has slots: only the lease limits."""
    home = tmp_path_factory.mktemp("fleet") / ".avatarlab"
    many = {"AIRFLOW__CORE__PARALLELISM": "24", "AIRFLOW__CELERY__WORKER_CONCURRENCY": "12"}
    with running(
        home, len(WORKERS), AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT="30",
        AVATARLAB_BULK_GPU_TASKS="8", **many,
    ) as found:  # fmt: skip
        pool = {"name": "gpu", "slots": TASKS, "include_deferred": False}
        found.client._call("PATCH", "/api/v2/pools/gpu", json=pool)
        yield found


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_worker_dies_in_mid_stage_and_every_item_is_published_once(site: Site) -> None:
    order(site, "shared", ITEMS)
    wait(lambda: spoken(site) >= ITEMS // 6, END_S)
    doomed = wait(lambda: at_work(site))
    assert all(tasks_taken(site, name) for name in WORKERS), "one worker did it all"
    signal_session(read_state(site.home)["sessions"][doomed], signal.SIGKILL)
    assert published(site, "shared") < ITEMS, "the bulk run was over before the kill"
    assert finished(site, "shared") == "success", site.client.tasks("shared", BULK_DAG)
    check_results(site, "shared", ITEMS)
    check_artifacts(site)
    check_lease(site)
    wait(lambda: read_state(site.home)["phase"] == "healthy")
    assert read_state(site.home)["restarts"] == {doomed: 1}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_tasks_never_hold_more_than_the_device_has(site: Site) -> None:
    # Long enough for the device to be the narrow place, not the start of a task.
    scripts = [f"Number {n} asks for the device, as all the others do. " * 6 for n in range(TASKS)]
    runs = [site.submit(request(script=script, captions="none")) for script in scripts]
    assert {site.finish(run) for run in runs} == {"success"}
    check_lease(site, wanted=TASKS // 2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_workers_and_then_one_publish_each_item_once(site: Site) -> None:
    """Which is faster is not asserted: the items are about one batch, which one worker has at a time, and on
    a busy machine either may win. `python -m benchmarks.fleet` measures it, beside what was simulated.
    """
    order(site, "by-two", ITEMS_EACH, first_seed=1000)
    assert finished(site, "by-two") == "success"
    check_results(site, "by-two", ITEMS_EACH)
    with started_anew(site, workers=1) as alone:
        assert WORKERS[1] not in read_state(alone.home)["sessions"]
        order(alone, "by-one", ITEMS_EACH, first_seed=2000)
        assert finished(alone, "by-one") == "success"
        check_results(alone, "by-one", ITEMS_EACH)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_equal_requests_have_equal_fingerprints_whoever_does_the_work(site: Site) -> None:
    wish = request(script="Once is enough.", captions="none")
    with started_anew(site, workers=1) as celery:
        by_celery = fingerprints(celery, done(celery, wish, "celery"))
    with started_anew(site, workers=0) as local:
        by_airflow = fingerprints(local, done(local, wish, "scheduler"))
    by_hand = fingerprints(site, pipeline.render(site.settings, wish).render_id)
    assert by_celery == by_airflow == by_hand
    assert {"speech", "face", "lipsync", "composite"} <= set(by_hand)


def done(site: Site, wish: dict[str, Any], who: str) -> str:
    """The render of a request that a site was asked for."""
    run = site.submit(wish | {"labels": {"who": who}})
    assert site.finish(run) == "success"
    return site.status(run).render_id


def fingerprints(site: Site, render_id: str) -> dict[str, str]:
    """Of each stage of a render, whether it made its artifact or found it."""
    rows = sa.select(m.StageRun.stage, m.StageRun.artifact).where(
        m.StageRun.render_id == render_id, m.StageRun.artifact.is_not(None), m.StageRun.stage != "publish"
    )
    with transaction(site.settings.pg_dsn) as db:
        return {stage: str(artifact) for stage, artifact in db.execute(rows)}


@contextmanager
def started_anew(site: Site, workers: int) -> Iterator[Site]:
    """The same site with another number of workers, at an address of its own."""
    control.down(site.home)
    state = control.up(site.home, print, workers)
    with AirflowClient.from_home(site.home) as client:
        yield replace(site, address=state.address, client=client)


def at_work(site: Site) -> str | None:
    """A worker one of whose tasks holds the device now."""
    sessions = {session: name for name, session in read_state(site.home)["sessions"].items()}
    notes = device.holders(site.home / device.FOLDER).values()
    found = [sessions.get(os.getsid(int(re.findall(r"pid (\d+)", note)[0]))) for note in notes]
    return next((name for name in found if name in WORKERS), None)


def spoken(site: Site) -> int:
    """How many lip-syncs are done."""
    done = sa.select(sa.func.count()).where(m.StageRun.stage == "lipsync", m.StageRun.state == "done")
    with transaction(site.settings.pg_dsn) as db:
        return db.scalar(done) or 0


def tasks_taken(site: Site, worker: str) -> int:
    """How many tasks a worker has begun, by its own log."""
    return (site.home / "logs" / f"{worker}.log").read_text(errors="replace").count("Executing workload")


def check_lease(site: Site, wanted: int = 1) -> None:
    """What the catalog tells of the past: so many stages asked at once, and never more than fit worked."""
    # From when to when each stage wanted or had the device, and when each artifact was kept, by a maker that
    # still held the lease, after so many seconds of work.
    spells = sa.select(m.StageRun.started_at, m.StageRun.ended_at)
    asking = spells.where(m.StageRun.stage.in_(GPU_STAGES), m.StageRun.compute_s > 0)
    made = sa.select(m.Artifact.created_at, m.Artifact.compute_s, m.EngineVersion.kind, m.EngineVersion.name)
    working = made.join(m.EngineVersion, m.EngineVersion.id == m.Artifact.engine_version_id)
    with transaction(site.settings.pg_dsn) as db:
        asked = [(start, end, 1) for start, end in db.execute(asking) if end]
        worked = [
            (end - timedelta(seconds=compute_s), end, engines.info(kind, name).slots)
            for end, compute_s, kind, name in db.execute(working)
        ]
    assert most(asked) >= wanted, "the device was never asked for by so many"
    assert 0 < most(worked) <= device.places()


def most(spells: list[Spell]) -> int:
    """The most slots that were taken at one time."""
    changes = [(start, slots) for start, _, slots in spells] + [(end, -slots) for _, end, slots in spells]
    return max(accumulate(slots for _, slots in sorted(changes)))
