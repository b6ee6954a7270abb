"""SIGKILL in the middle of a bulk run: as many results as items, none twice, and single requests go first."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from kit.running_site import AVATAR, Site, request
from test_kill import check_artifacts, tasks, wait

from avatarlab_ops import pipeline
from avatarlab_ops.cli.client import BULK_DAG, DAG, FINAL
from avatarlab_ops.embedded import control
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.graph import GPU_STAGES
from avatarlab_ops.request import split_reference
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects

ITEMS = 200
END_S = 3000.0  # a few minutes on an idle machine
BULK_ID = "kill-200"
WORDS = ("Go.", "Yes.", "No.", "Stay.", "Now.", "Here.", "Two.", "Stop.")
PERFORM = "batch.perform"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_killed_bulk_run_ends_with_a_result_for_each_item(site: Site) -> None:
    begin(site)
    wait(lambda: published(site) >= ITEMS // 10, END_S)
    for pid in wait(lambda: tasks(site)):
        os.kill(pid, signal.SIGKILL)
    wait(lambda: published(site) >= ITEMS // 4, END_S)
    single = site.submit(request(script="Me first, please.", labels={"who": "single"}))
    assert site.finish(single) == "success"
    assert published(site) < ITEMS, "the bulk run was over before the single request"
    os.kill(read_state(site.home)["sessions"]["scheduler"], signal.SIGKILL)
    control.up(site.home, print)
    assert finished(site) == "success", site.client.tasks(BULK_ID, BULK_DAG)
    check_results(site)
    check_artifacts(site)
    check_no_retry_was_spent_on_turns(site)
    for stage in GPU_STAGES:
        assert waited_for(site, single, stage) <= 1, stage


def begin(site: Site) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["script", "avatar.uri", "output.resolution", "output.aspect", "captions", "seed"])
    writer.writerows([WORDS[n % len(WORDS)], AVATAR, "360p", "1:1", "none", n] for n in range(ITEMS))
    pipeline.prepare_stores(
        site.settings
    )  # the tables that this test reads are otherwise made by the first task
    objects(site.settings).put_if_absent("inputs", "bulk/kill.csv", text.getvalue().encode())
    site.client.trigger(BULK_ID, {"file": "s3://inputs/bulk/kill.csv", "name": BULK_ID}, BULK_DAG)


def finished(site: Site) -> str:
    """The bulk run's final state; Airflow may be away meanwhile."""

    def state() -> str | None:
        now = str(site.client.run(BULK_ID, BULK_DAG)["state"])
        return now if now in FINAL else None

    return wait(state, END_S)


def published(site: Site) -> int:
    mine = sa.select(sa.func.count()).where(
        m.BulkItem.bulk_id == BULK_ID, m.BulkItem.render_id == m.Render.id
    )
    with transaction(site.settings.pg_dsn) as db:
        return db.scalar(mine.where(m.Render.state == "published")) or 0


def check_results(site: Site) -> None:
    """Exactly one published render, one video in the store and one line in the report for each item."""
    with transaction(site.settings.pg_dsn) as db:
        rows = sa.select(m.Render).join(m.Request).where(m.Request.idempotency_key.like(f"bulk:{BULK_ID}:%"))
        renders = list(db.scalars(rows))
        runs = sa.select(m.StageRun.artifact, m.StageRun.stage, m.StageRun.state).where(
            m.StageRun.render_id.in_([render.id for render in renders]), m.StageRun.artifact.is_not(None)
        )
        made = [row.artifact for row in db.execute(runs) if row.state == "done"]
        stages = {row.artifact: row.stage for row in db.execute(runs)}
    assert Counter(render.state for render in renders) == {"published": ITEMS}
    store = objects(site.settings)
    videos = [key for key in store.keys("outputs", "renders/") if key.endswith("/video.mp4")]
    mine = [key for key in videos if key.split("/")[1] in {render.id for render in renders}]
    assert len(mine) == ITEMS
    assert max(Counter(made).values()) == 1, "an artifact was made by two stages"
    assert Counter(stages.values()) == {"face": 1, "speech": ITEMS, "lipsync": ITEMS, "composite": ITEMS}
    report = json.loads(store.read(*split_reference(f"s3://outputs/bulk/{BULK_ID}/report.json")))
    assert report["states"] == {"published": ITEMS}
    assert len({item["video"] for item in report["items"]}) == ITEMS
    events = documents(site.settings).database["lineage_events"].find({"job.name": BULK_DAG})
    assert len(list(events)) == 1


def check_no_retry_was_spent_on_turns(site: Site) -> None:
    """A task that queues again after its turn is still at the same try: only the kills cost tries."""
    told = events(site, BULK_DAG, BULK_ID, PERFORM)
    turns = Counter(event["map_index"] for event in told if event["event"] == "running")
    for number in turns:
        mine = [event["event"] for event in told if event["map_index"] == number]
        after = {then for now, then in pairwise(mine) if now == "deferred"}
        assert after <= {"running"}, "Airflow took the end of a turn for something else"
    url = f"/api/v2/dags/{BULK_DAG}/dagRuns/{BULK_ID}/taskInstances?limit=1000"
    tries = [task["try_number"] for task in site.client.get(url)["task_instances"]]
    assert max(turns.values()) > 1, "no turn ended before its batch"
    assert max(tries) <= 3, "two kills cost more than two tries"


def waited_for(site: Site, run_id: str, stage: str) -> int:
    """How many GPU tasks of the bulk run were at work while a single request's task waited to start."""
    task = site.client.get(f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances/{stage}")
    if task["state"] == "skipped":
        return 0
    at_work, seen = set(), set()
    for event in events(site, BULK_DAG, BULK_ID, PERFORM):
        turn = event["map_index"]
        if event["when"] < task["scheduled_when"]:
            at_work = at_work | {turn} if event["event"] == "running" else at_work - {turn}
            seen = {(turn, "") for turn in at_work}
        elif event["when"] < task["start_date"] and event["event"] == "running":
            seen.add((turn, event["when"]))
    return len(seen)


def events(site: Site, dag: str, run_id: str, task: str, event: str | None = None) -> list[dict[str, Any]]:
    """Airflow's log of what became of a task, oldest first."""
    found: list[dict[str, Any]] = []
    url = f"/api/v2/eventLogs?dag_id={dag}&run_id={run_id}&task_id={task}&order_by=event_log_id&limit=100"
    while page := site.client.get(f"{url}&offset={len(found)}")["event_logs"]:
        found += page
    return [one for one in found if event in (None, one["event"])]
