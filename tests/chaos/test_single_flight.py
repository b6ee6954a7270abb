"""A killed worker and another run that waits for the same work."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from kit.equal_work import check_gave_way, with_one_behind
from kit.eventually import eventually
from kit.running_site import Site, request


def test_a_killed_task_is_replaced_by_the_one_that_was_deferred_for_it(site: Site) -> None:
    script = "Two of us were asked to say these very words, and only one of us may work at any time. " * 12
    asked = request(script=script, background={"kind": "blur"})
    runs = [site.submit(asked | {"labels": {"who": who}}) for who in ("one", "two")]
    worker, waiter = eventually(lambda: with_one_behind(site, runs))
    killed = worker["task_id"]
    check_gave_way(site, waiter)
    os.kill(worker["pid"], signal.SIGKILL)
    # Its own retry, 2 s later, could be first to take the work up again: leave the other one alone with it.
    ended = f"/api/v2/dags/avatar_render/dagRuns/{worker['dag_run_id']}"
    site.client._call("PATCH", ended, json={"state": "failed"})
    assert eventually(lambda: not Path(f"/proc/{waiter['pid']}").exists()), "the waiter kept its process"
    assert site.finish(waiter["dag_run_id"]) == "success"
    assert site.client.tasks(waiter["dag_run_id"])[killed] == "success"
    heir = {stage.stage: stage for stage in site.status(waiter["dag_run_id"]).stages}
    assert heir[killed].state == "done"
    assert heir[killed].attempt == 1
    again = site.submit(asked | {"labels": {"who": "ended"}})
    assert site.finish(again) == "success"
    assert {site.client.tasks(again)[stage] for stage in ("speech", "lipsync", "composite")} == {"skipped"}
