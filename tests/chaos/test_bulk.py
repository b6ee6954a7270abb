"""SIGKILL in the middle of a bulk run: as many results as items, none twice, and single requests go first."""

from __future__ import annotations

import os
import signal
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from kit.bulk_orders import END_S, check_results, finished, order, published
from kit.running_site import Site, request
from test_kill import check_artifacts, tasks, wait

from avatarlab_ops.embedded import control
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.graph import GPU_STAGES, STAGES
from avatarlab_ops.places import BULK_DAG, RENDER_DAG

ITEMS = 200
BULK_ID = "kill-200"
PERFORM = "batch.perform"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_killed_bulk_run_ends_with_a_result_for_each_item(site: Site) -> None:
    order(site, BULK_ID, ITEMS)
    wait(lambda: published(site, BULK_ID) >= ITEMS // 10, END_S)
    for pid in wait(lambda: tasks(site)):
        os.kill(pid, signal.SIGKILL)
    wait(lambda: published(site, BULK_ID) >= ITEMS // 4, END_S)
    single = site.submit(request(script="Me first, please.", labels={"who": "single"}))
    assert site.finish(single) == "success"
    assert published(site, BULK_ID) < ITEMS, "the bulk run was over before the single request"
    os.kill(read_state(site.home)["sessions"]["scheduler"], signal.SIGKILL)
    control.up(site.home, print)
    assert finished(site, BULK_ID) == "success", site.client.tasks(BULK_ID, BULK_DAG)
    check_results(site, BULK_ID, ITEMS)
    check_artifacts(site)
    check_no_retry_was_spent_on_turns(site)
    for stage in [stage for stage in GPU_STAGES if stage in STAGES]:  # a task of their own
        assert waited_for(site, single, stage) <= 1, stage


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
    task = site.client.get(f"/api/v2/dags/{RENDER_DAG}/dagRuns/{run_id}/taskInstances/{stage}")
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
