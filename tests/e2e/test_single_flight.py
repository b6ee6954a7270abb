"""Equal requests through a real Airflow: one works, the other gives its worker back; nothing twice."""

from __future__ import annotations

import os
import signal
from typing import TypeVar

import pytest
from kit.equal_work import check_gave_way, with_one_behind
from kit.eventually import eventually
from kit.running_site import Site, request

from avatarlab_ops.renders import status
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects

T = TypeVar("T")


def test_a_killed_task_does_nothing_twice(site: Site) -> None:
    asked = request(script="Whoever is first takes the work up again. " * 6, background={"kind": "blur"})
    runs = [site.submit(asked | {"labels": {"who": who}}) for who in ("three", "four")]
    worker, waiter = eventually(lambda: with_one_behind(site, runs))
    check_gave_way(site, waiter)
    os.kill(worker["pid"], signal.SIGKILL)
    assert [site.finish(run) for run in runs] == ["success", "success"]
    states = [{stage.stage: stage.state for stage in site.status(run).stages} for run in runs]
    for stage in ("speech", "lipsync", "composite"):
        ended = sorted(state[stage] for state in states)
        # Its artifact was kept and the kill came before its end: then nobody made it anew.
        found_whole = stage == worker["task_id"] and ended == ["cached", "cached"]
        assert found_whole or ended == ["cached", "done"], stage
    _check_one_artifact_each(site, [site.status(run).render_id for run in runs], scripts=1)


@pytest.mark.slow
def test_videos_that_share_an_avatar_and_a_script_share_the_work(site: Site) -> None:
    asked = {"output": {"resolution": "720p", "fps": 25, "aspect": "1:1"}, "background": {"kind": "blur"}}
    long = (
        "What is made once is kept. It is found again by what made it, and used by every video that needs it."
    )
    runs = []
    for number, script in enumerate((long, "Other words, the same face.", long)):
        runs.append(site.submit(request(script=script, labels={"take": str(number)}, **asked)))
        assert site.finish(runs[-1]) == "success"
    skipped = [{name for name, state in site.client.tasks(run).items() if state == "skipped"} for run in runs]
    assert skipped[0] <= {"face", "matte"}  # the avatar may have been seen by another test
    assert skipped[1:] == [{"face", "matte"}, {"speech", "face", "matte", "lipsync", "composite"}]
    assert len({site.status(run).video_uri for run in runs}) == 3
    _check_one_artifact_each(site, [site.status(run).render_id for run in runs], scripts=2)


def _check_one_artifact_each(site: Site, ids: list[str], scripts: int) -> None:
    """A video's worth of artifacts for each script and every publication, each with one artifact.json."""
    with transaction(site.settings.pg_dsn) as db:
        used = [run for run in db.query(m.StageRun).filter(m.StageRun.render_id.in_(ids)) if run.artifact]
    prints = {run.artifact: run.stage for run in used}
    shared = ["face", "matte", *("speech", "lipsync", "composite") * scripts, *["publish"] * len(ids)]
    assert sorted(prints.values()) == sorted(shared)
    store = objects(site.settings)
    for fingerprint, stage in prints.items():
        keys = list(store.keys("artifacts", f"{stage}/{fingerprint[:2]}/{fingerprint}"))
        assert len([key for key in keys if key.endswith("artifact.json")]) == 1
        assert len({key.rpartition("/")[2] for key in keys}) == len(keys), "a file was stored twice"


def test_a_published_video_is_in_the_document_store_although_its_task_did_not_wait(site: Site) -> None:
    from avatarlab_ops.stores.documents import documents

    run = site.submit(request(script="Delivered."))
    assert site.finish(run) == "success"
    render_id = site.status(run).render_id
    assert status.of(site.settings, render_id).state == "published"
    assert eventually(lambda: documents(site.settings).find("manifests", render_id))
