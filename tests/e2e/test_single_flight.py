"""Equal requests through a real Airflow: one works, the other gives its worker back; nothing twice."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from kit.eventually import eventually
from kit.running_site import Site, request

from avatarlab_ops.renders import status
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects

T = TypeVar("T")


def test_a_killed_task_is_replaced_by_the_one_that_was_deferred_for_it(site: Site) -> None:
    script = "Two of us were asked to say these very words, and only one of us may work at any time. " * 4
    asked = request(script=script, background={"kind": "blur"})
    runs = [site.submit(asked | {"labels": {"who": who}}) for who in ("one", "two")]
    worker, waiter = eventually(lambda: _with_one_behind(site, runs))
    killed = worker["task_id"]
    _check_gave_way(site, waiter)
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


def test_a_killed_task_does_nothing_twice(site: Site) -> None:
    asked = request(script="Whoever is first takes the work up again. " * 6, background={"kind": "blur"})
    runs = [site.submit(asked | {"labels": {"who": who}}) for who in ("three", "four")]
    worker, _ = eventually(lambda: _with_one_behind(site, runs))
    os.kill(worker["pid"], signal.SIGKILL)
    assert [site.finish(run) for run in runs] == ["success", "success"]
    states = [{stage.stage: stage.state for stage in site.status(run).stages} for run in runs]
    for stage in ("speech", "lipsync", "composite"):
        assert sorted(state[stage] for state in states) == ["cached", "done"], stage


def _with_one_behind(site: Site, runs: list[str]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The task at work on a stage, and the other run's task that is deferred for it."""
    for stage in ("lipsync", "speech", "composite"):
        url = "/api/v2/dags/avatar_render/dagRuns/{}/taskInstances/" + stage
        found = {task["state"]: task for task in (site.client.get(url.format(run)) for run in runs)}
        if "deferred" in found and found.get("running", {}).get("pid"):
            return found["running"], found["deferred"]
    return None


def _check_gave_way(site: Site, waiter: dict[str, Any]) -> None:
    """A deferred task holds no slot of its pool, and people are told that it waits."""

    def holds_no_slot() -> bool:
        pool = site.client.get(f"/api/v2/pools/{waiter['pool']}")  # figures counted one by one
        return pool["deferred_slots"] >= 1 and pool["open_slots"] == pool["slots"] - pool["running_slots"]

    assert eventually(holds_no_slot)
    states = {one.stage: one.state for one in site.status(waiter["dag_run_id"]).stages}
    assert states[waiter["task_id"]] == "waiting"


def test_videos_that_share_an_avatar_and_a_script_share_the_work(site: Site) -> None:
    asked = {"output": {"resolution": "720p", "fps": 25, "aspect": "1:1"}, "background": {"kind": "blur"}}
    long = (
        "What is made once is kept. It is found again by what made it, and used by every video that needs it."
    )
    runs, seconds = [], []
    for number, script in enumerate((long, "Other words, the same face.", long)):
        runs.append(site.submit(request(script=script, labels={"take": str(number)}, **asked)))
        assert site.finish(runs[-1]) == "success"
        seconds.append(_seconds(site.client.run(runs[-1])))
    skipped = [{name for name, state in site.client.tasks(run).items() if state == "skipped"} for run in runs]
    assert skipped[0] <= {"face", "matte"}  # the avatar may have been seen by another test
    assert skipped[1:] == [{"face", "matte"}, {"speech", "face", "matte", "lipsync", "composite"}]
    assert seconds[2] < seconds[0] / 5, seconds
    assert len({site.status(run).video_uri for run in runs}) == 3
    _check_one_artifact_each(site, [site.status(run).render_id for run in runs])


def _check_one_artifact_each(site: Site, ids: list[str]) -> None:
    """Two videos' worth of artifacts and three publications, each with one artifact.json in the store."""
    with transaction(site.settings.pg_dsn) as db:
        used = [run for run in db.query(m.StageRun).filter(m.StageRun.render_id.in_(ids)) if run.artifact]
    prints = {run.artifact: run.stage for run in used}
    shared = ["face", "matte", *("speech", "lipsync", "composite") * 2, *["publish"] * 3]
    assert sorted(prints.values()) == sorted(shared)
    store = objects(site.settings)
    for fingerprint, stage in prints.items():
        keys = list(store.keys("artifacts", f"{stage}/{fingerprint[:2]}/{fingerprint}"))
        assert len([key for key in keys if key.endswith("artifact.json")]) == 1
        assert len({key.rpartition("/")[2] for key in keys}) == len(keys), "a file was stored twice"


def _seconds(run: dict[str, Any]) -> float:
    begin, end = (datetime.fromisoformat(run[name]) for name in ("queued_at", "end_date"))
    return (end - begin).total_seconds()


def test_a_published_video_is_in_the_document_store_although_its_task_did_not_wait(site: Site) -> None:
    from avatarlab_ops.stores.documents import documents

    run = site.submit(request(script="Delivered."))
    assert site.finish(run) == "success"
    render_id = site.status(run).render_id
    assert status.of(site.settings, render_id).state == "published"
    assert eventually(lambda: documents(site.settings).find("manifests", render_id))
