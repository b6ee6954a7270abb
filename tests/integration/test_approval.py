"""A person looks before a video is published, where the deployment wants that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import TaskDeferred
from avatarlab_web.api import views
from click.testing import CliRunner
from fastapi import FastAPI
from kit.eventually import eventually
from starlette.testclient import TestClient

from avatarlab_ops import graph, pipeline
from avatarlab_ops.bulk import planning, work
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.cli import approval as commands
from avatarlab_ops.cli import client, main
from avatarlab_ops.errors import ApprovalAwaited
from avatarlab_ops.graph import GROUPS, STAGES
from avatarlab_ops.lineage import evidence
from avatarlab_ops.renders import approval, listing, standing, status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import bulk, records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import waiting as sleeping
from avatarlab_ops.stores.catalog.waiting import decided
from avatarlab_ops.stores.objects import objects, split_or_refuse

from .api_server import Server, serving

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture
def api(stores: Settings) -> Iterator[Server]:
    with serving(stores) as server:
        yield server


def asked(portrait: str, script: str) -> dict[str, Any]:
    return {"script": script, "avatar": {"uri": portrait}, "output": {"resolution": "360p", "fps": 24}}


def waiting(stores: Settings, request: dict[str, Any]) -> str:
    """A render that waits for approval; its id."""
    render_id = pipeline.submit(stores, request, caller="anna")
    *before, last = STAGES
    for stage in before:
        pipeline.run_stage(stores, render_id, stage)
    with pytest.raises(ApprovalAwaited, match="an operator approves or refuses it"):
        pipeline.run_stage(stores, render_id, last)
    return render_id


def test_what_is_made_waits_until_an_operator_lets_it_be_published(
    api: Server, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AVATARLAB_APPROVAL", "all")
    render_id = waiting(stores, asked(portrait, "Look at me."))
    shown = api.client.get(f"/renders/{render_id}").json()
    assert (shown["state"], shown["stages"][-1]["state"]) == ("running", "awaiting_approval")
    assert shown["awaits_approval"]
    assert shown["links"]["video"] is None
    listed, *_ = api.client.get("/renders", params={"awaits_approval": True}).json()["renders"]
    assert (listed["id"], listed["awaits_approval"]) == (render_id, True)
    there = approval.made(stores, render_id)
    assert there is not None
    assert objects(stores).read(*split_or_refuse(there))[4:8] == b"ftyp"

    assert api.client.post(f"/renders/{render_id}/approve").json()["code"] == "forbidden"
    with pytest.raises(ApprovalAwaited):  # asked for again it waits still
        pipeline.run_stage(stores, render_id, "publish")
    api.roles.add("operator")
    told = api.client.post(f"/renders/{render_id}/approve").json()
    assert (told["approved_by"], told["awaits_approval"]) == ("anna", False)
    pipeline.run_stage(stores, render_id, "publish")
    assert api.client.get(f"/renders/{render_id}").json()["state"] == "published"
    assert "approval.json" in evidence.write(stores, render_id, tmp_path / "evidence.zip")
    left = api.client.get("/renders", params={"awaits_approval": True}).json()["renders"]
    assert render_id not in {one["id"] for one in left}
    again = api.client.post(f"/renders/{render_id}/approve")
    assert (again.status_code, again.json()["code"]) == (409, "not_waiting")
    assert approval.made(stores, render_id) is None


def test_what_waits_is_what_is_published_and_not_what_it_was_made_from(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a stage after the composite: its artifact is another render's film."""
    monkeypatch.setenv("AVATARLAB_APPROVAL", "all")
    monkeypatch.setenv("AVATARLAB_CONTENT_CREDENTIALS", "off")
    render_id, other = (waiting(stores, asked(portrait, script)) for script in ("As it was.", "Larger."))
    known = records.artifacts_of
    with transaction(stores.pg_dsn) as db:
        later = known(db, other)["composite"]
        db.expunge(later)
    later.stage = "upscale"
    monkeypatch.setattr(records, "artifacts_of", lambda *about: known(*about) | {"upscale": later})
    monkeypatch.setitem(graph.BY_NAME, "upscale", graph.Stage(name="upscale", group="finish"))
    monkeypatch.setitem(vars(graph.PUBLISH), "after", ("composite", "upscale"))
    film = later.files["video.mp4"]
    assert (approval.made(stores, render_id) or "").endswith(film["key"])
    assert approval.approve(stores, render_id, "otto")
    pipeline.run_stage(stores, render_id, "publish")
    with transaction(stores.pg_dsn) as db:
        assert records.published_files(db, render_id)["video.mp4"].sha256 == film["sha256"]
        printed = sa.select(m.PicturePrint.artifact).where(m.PicturePrint.artifact == later.fingerprint)
        assert db.scalar(printed), "the picture is known by what is shown"


def test_who_listens_is_told_once_that_a_video_waits(
    api: Server, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_APPROVAL", "all")
    hook = api.client.post("/webhooks", json={"url": "https://example.org/hook"}).json()["id"]
    render_id = waiting(stores, asked(portrait, "Tell them."))
    with pytest.raises(ApprovalAwaited):  # its trigger lost PostgreSQL, say
        pipeline.run_stage(stores, render_id, "publish")
    with transaction(stores.pg_dsn) as db:
        told = [one.payload for one in webhooks.deliveries(db, hook, 9)]
    (message,) = told
    assert (message["type"], message["data"]["id"]) == ("render.awaiting_approval", render_id)
    before = standing.of(stores, render_id)
    assert views.standing("", before).awaits_approval
    assert approval.approve(stores, render_id, "otto")
    after = standing.of(stores, render_id)
    assert not views.standing("", after).awaits_approval
    assert before.mark != after.mark, "streams of events tell of the decision"


def test_an_operator_lists_approves_and_refuses_on_the_command_line(
    api: Server, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_APPROVAL", "all")
    good, bad = (waiting(stores, asked(portrait, script)) for script in ("Let me go.", "Keep me back."))
    outer = FastAPI()
    outer.mount(client.API, api.client.app)
    there = client.AirflowClient("http://testserver", "", "", token="stood-in-for")
    monkeypatch.setattr(there, "_http", TestClient(outer, headers=dict(api.client.headers)))
    monkeypatch.setattr(commands, "airflow", lambda: nullcontext(there))

    def run(*arguments: str) -> str:
        return str(CliRunner().invoke(main, arguments).output)

    assert run("approve").splitlines()[:2] == [
        f"{bad}  {'anna':<16}  Keep me back.", f"{good}  {'anna':<16}  Let me go.",
    ]  # fmt: skip
    assert "needs the role operator" in run("approve", good)
    api.roles.add("operator")
    assert run("approve", good) == f"{good} approved by anna\n"
    assert run("refuse", bad, "a wrong name") == f"{bad} failed: anna refused to publish it: a wrong name\n"
    assert "does not wait for approval" in run("approve", good)
    assert good not in run("approve")
    assert bad not in run("approve")


def test_a_task_that_waits_for_approval_is_deferred_and_holds_nothing(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_APPROVAL", "all")
    monkeypatch.syspath_prepend(str(DAGS))
    import avatarlab_airflow
    import avatarlab_triggers

    render_id = waiting(stores, asked(portrait, "In a task."))
    monkeypatch.setattr(avatarlab_airflow, "settings", lambda: stores)
    monkeypatch.setattr(avatarlab_triggers, "pg_dsn", lambda: asyncio.sleep(0, stores.pg_dsn))
    told = SimpleNamespace(extra={})
    context: Any = {
        "ti": SimpleNamespace(xcom_pull=lambda **_: render_id, xcom_push=None),
        "outlet_events": {avatarlab_airflow.VIDEOS: told},
    }
    task = avatarlab_airflow.PublishOperator(stage="publish")
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    path, arguments = deferred.value.trigger.serialize()
    assert (path, arguments) == ("avatarlab_triggers.Decided", {"render_ids": [render_id]})
    approval.approve(stores, render_id, "otto")

    async def fired() -> str:
        return str((await anext(avatarlab_triggers.Decided(**arguments).run())).payload)

    result = task.execute(context, event=asyncio.run(fired()))
    assert result["render_id"] == told.extra["render_id"] == render_id
    assert status.of(stores, render_id).state == "published"


def test_the_command_line_waits_for_the_decision(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_APPROVAL", "all")
    with ThreadPoolExecutor() as elsewhere:
        made = elsewhere.submit(pipeline.render, stores, asked(portrait, "In a shell."), caller="bob")
        wanted = listing.Wanted(caller="bob")

        def approved() -> bool:
            there = [one.render.id for one in listing.page(stores, wanted).renders]
            return bool(there) and approval.approve(stores, there[0], "otto")

        eventually(approved)
        assert made.result().video_uri


def test_what_is_refused_ends_with_the_reason(
    api: Server, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_APPROVAL", "all")
    render_id = waiting(stores, asked(portrait, "Refuse me."))
    api.roles.add("operator")
    told = api.client.post(f"/renders/{render_id}/refuse", params={"reason": "wrong name"}).json()
    assert told["state"] == "failed"
    assert told["reason"]["code"] == "approval_refused"
    assert told["reason"]["text"] == "anna refused to publish it: wrong name"
    assert not approval.approve(stores, render_id, "anna")
    assert asyncio.run(decided(stores.pg_dsn, [render_id])) == "somebody has decided"


def test_the_first_of_a_bulk_run_waits_and_the_others_do_not(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_APPROVAL", "first")
    rows = "\n".join(f"{script},{portrait},360p,24" for script in ("Go.", "Yes.", "Stop."))
    text = f"script,avatar.uri,output.resolution,output.fps\n{rows}\n"
    objects(stores).put_if_absent(stores.bucket_inputs, "approval.csv", text.encode())
    plan = BulkRequest.parse({"file": f"s3://{stores.bucket_inputs}/approval.csv"})
    summary = work.run(stores, plan, bulk_id="looked-at")
    assert summary.states == {"waiting": 1, "published": 2}
    with transaction(stores.pg_dsn) as db:
        first, *_ = bulk.items(db, "looked-at", after=0, limit=9)
        (asked_for,) = bulk.awaiting(db, "looked-at", first.batch)
    assert asked_for == first.render_id

    monkeypatch.syspath_prepend(str(DAGS))
    import avatarlab_bulk

    monkeypatch.setattr(avatarlab_bulk, "settings", lambda: stores)
    events: list[dict[str, Any]] = []
    alias = SimpleNamespace(add=lambda _asset, *, extra: events.append(extra))
    context: Any = {
        "ti": SimpleNamespace(xcom_pull=lambda **_: "looked-at"),
        "outlet_events": {avatarlab_bulk.BATCHES: alias},
    }
    assert avatarlab_bulk.TellOperator(batch=first.batch).execute(context) == 2, "not all has ended"
    assert {event["bulk_id"] for event in events} == {"looked-at"}
    assert asked_for not in {event["render_id"] for event in events}

    async def woken() -> str:
        """Whoever waits is told of the decision, and needs not look."""
        looked, look = asyncio.Event(), sleeping._Decisions.among

        async def looks(*about: Any) -> set[str]:
            found = await look(*about)
            looked.set()
            return found

        monkeypatch.setattr(sleeping._Decisions, "among", looks)
        sleeper = asyncio.create_task(decided(stores.pg_dsn, [asked_for]))
        await looked.wait()  # and found nothing: only a notification brings another look
        assert await asyncio.to_thread(approval.approve, stores, asked_for, "otto")
        return await asyncio.wait_for(sleeper, 60)

    monkeypatch.setattr(sleeping, "LOOK_S", 3600)
    assert asyncio.run(woken()) == "somebody has decided"
    again = planning.plan(stores, plan, bulk_id="looked-at", caller="cli")
    for batch in again.batches:
        for group in GROUPS:
            assert work.work(stores, "looked-at", batch, group)
    assert status.of(stores, asked_for).state == "published"
    assert status.of(stores, asked_for).approved_by == "otto"
