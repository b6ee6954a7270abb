"""The Studio's page of devices, budgets and the line, over real stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance
from avatarlab_web.api.access import Caller
from avatarlab_web.app import app
from avatarlab_web.studio import queue as studio_queue
from avatarlab_web.studio.access import viewer
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from avatarlab_ops import pipeline
from avatarlab_ops.engines import device
from avatarlab_ops.renders import orders
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Priority
from avatarlab_ops.stores.catalog import engine, tables, transaction

from .studio_client import opened
from .test_airflow_tables import with_table


@pytest.fixture
def studio(stores: Settings) -> Iterator[TestClient]:
    with opened(stores, {"reader", "author"}) as client:
        yield client


@pytest.fixture(scope="module")
def published(stores: Settings, portrait: str) -> str:
    asked = {"script": "Hi.", "avatar": {"uri": portrait}, "output": {"resolution": "360p", "fps": 24}}
    return pipeline.render(stores, asked, caller="anna").render_id


def test_the_queue_tells_of_devices_and_budgets(
    studio: TestClient, stores: Settings, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_queue, "_pools", list)  # Airflow's database is not here
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY", "7200")
    with transaction(stores.pg_dsn) as db:
        run = tables.StageRun
        seconds = sa.case((run.stage == "lipsync", 90.0), else_=0.0)
        db.execute(sa.update(run).where(run.render_id == published).values(compute_s=seconds))
    cpu = device.devices(cuda=False)
    with device.lease(stores.home / device.FOLDER, cpu, slots=1, purpose="lipsync with viseme_warp"):
        shown = studio.get("/queue").text
    assert "lipsync with viseme_warp, since" in shown
    assert "Everybody together: 90 of 7,200 used" in shown
    assert "Yours: 90 used, no limit is set" in shown
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY_BY_CALLER", "anna=14400")
    app.dependency_overrides[viewer] = lambda: Caller("eve", lambda role: role == "reader")
    live = studio.get("/queue/live").text
    assert "viseme_warp" not in live
    assert "anna: 90 of 14,400 used" in live
    assert "Yours: 0 used, no limit is set" in live


def test_the_queue_shows_the_line_and_when_each_begins(
    studio: TestClient, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_queue, "_pools", list)
    placed = []
    for name, priority in (("No hurry.", Priority.BULK), ("I sit and wait.", Priority.INTERACTIVE)):
        asked = {"script": name, "avatar": {"uri": portrait}, "idempotency_key": f"line-{priority}"}
        placed.append(orders.place(stores, AvatarRequest.parse(asked), caller="anna", priority=priority))
    shown = studio.get("/queue").text
    assert shown.index("1. I sit and wait.") < shown.index("somebody waits") < shown.index("2. No hurry.")
    assert shown.count("begins about <time datetime=") == 2
    assert "1. I sit and wait." in studio.get("/queue/live").text
    waits = studio.get(f"/videos/{placed[0].render_id}").text
    assert "Waits in line; begins about <time datetime=" in waits
    for one in placed:
        pipeline.cancel(stores, one.render_id)
    assert "I sit and wait." not in studio.get("/queue").text


def test_the_queue_tells_before_waiting_approvals_take_every_run(
    studio: TestClient, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_queue, "_pools", list)  # Airflow's database is not here
    monkeypatch.setattr(studio_queue, "OPEN_RUNS", 2)
    asked, warned = {"avatar": {"uri": portrait}}, []
    waiting = [pipeline.submit(stores, asked | {"script": f"Undecided {n}."}) for n in range(2)]
    for render_id in waiting:
        with transaction(stores.pg_dsn) as db:
            render = db.get_one(tables.Render, render_id)
            render.state, render.approval_asked_at = "running", datetime.now(UTC)
        warned.append("2 videos wait for approval. Once 2 do, no other begins" in studio.get("/queue").text)
    for render_id in waiting:
        pipeline.cancel(stores, render_id)
    assert warned == [False, True]


def test_a_pool_without_a_limit_is_shown_as_one(
    studio: TestClient, stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_table(stores, TaskInstance.__table__).dispose()
    airflow = with_table(stores, Pool.__table__)
    with Session(airflow) as session:
        session.add_all([Pool(pool="gpu", slots=-1, include_deferred=False),
                         Pool(pool="cpu", slots=4, include_deferred=False)])  # fmt: skip
        session.commit()
        stats = Pool.slots_stats(session=session)
    airflow.dispose()
    assert stats["gpu"]["total"] == float("inf")
    monkeypatch.setattr(Pool, "slots_stats", lambda: stats)
    shown = studio.get("/queue").text
    assert "0 busy, no limit" in shown
    assert "0 of 4 places busy" in shown
    assert shown.count("<progress") == shown.count('<progress max="4"')


def test_the_queue_asks_no_more_where_more_work(
    studio: TestClient, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_queue, "_pools", list)
    asked, queries, working = {"avatar": {"uri": portrait}}, [], []
    count = lambda *told: queries.append(told[2])  # noqa: E731 (to be taken off again)
    for number in range(4):
        working.append(pipeline.submit(stores, asked | {"script": f"At work {number}."}))
        pipeline.run_stage(stores, working[-1], "admit")
    studio.get("/queue/live")  # budgets are summed once in a while
    asked_for = {}
    for many in (4, 1):
        sa.event.listen(engine(stores.pg_dsn), "before_cursor_execute", count)
        shown = studio.get("/queue/live").text
        sa.event.remove(engine(stores.pg_dsn), "before_cursor_execute", count)
        assert sum(f"At work {number}." in shown for number in range(4)) == many
        assert shown.count("ready about <time") >= many
        asked_for[many] = len(queries)
        queries.clear()
        for render_id in working[1:]:
            pipeline.cancel(stores, render_id)
    pipeline.cancel(stores, working[0])
    assert asked_for[4] == asked_for[1] < 20
