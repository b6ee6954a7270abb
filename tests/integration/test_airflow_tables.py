"""What is asked of Airflow's own tables: bulk tasks that waited long go next, no run too many begins."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import HTTPException
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from avatarlab_ops.settings import Settings

# Airflow writes its configuration where it is first imported.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-"))
LONG, SHORT = timedelta(minutes=9), timedelta(minutes=1)


@pytest.fixture
def session(fresh: Settings) -> Iterator[Session]:
    """Airflow's table of tasks, without what it refers to."""
    from airflow.models.taskinstance import TaskInstance

    engine = with_table(fresh, TaskInstance.__table__)
    with Session(engine) as one:
        yield one
    engine.dispose()


def with_table(stores: Settings, table: Any) -> sa.Engine:
    engine = sa.create_engine(sa.make_url(stores.pg_dsn).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateTable(table, include_foreign_key_constraints=[]))
    return engine


def put(
    session: Session, name: str, dag: str = "avatar_regenerate", pool: str = "gpu", **values: Any
) -> None:
    from airflow.models.taskinstance import TaskInstance

    weight = 1 if dag == "avatar_regenerate" else 70
    told = {"task_id": name, "dag_id": dag, "run_id": "r", "map_index": -1, "pool": pool, "queue": "q"}
    told |= {
        "priority_weight": weight,
        "state": "scheduled",
        "pool_slots": 1,
        "max_tries": 1,
        "try_number": 0,
    }
    session.execute(sa.insert(TaskInstance).values(told | values))


def heaviest(session: Session, pool: str = "gpu") -> str:
    """What the scheduler takes next."""
    from airflow.models.taskinstance import TaskInstance as Task

    waits = sa.select(Task.task_id).where(Task.pool == pool, Task.state == "scheduled")
    return str(session.scalars(waits.order_by(-Task.priority_weight).limit(1)).one())


def test_the_bulk_task_that_waited_longest_goes_next_and_the_one_after_it_two_minutes_later(
    session: Session,
) -> None:
    from airflow.models.taskinstance import TaskInstance as Task
    from avatarlab_web.patience import prefer

    now = datetime.now(UTC)
    put(session, "single", "avatar_render", scheduled_dttm=now - 2 * LONG)
    put(session, "young", scheduled_dttm=now - SHORT)
    prefer(session)
    assert heaviest(session) == "single", "a bulk task waits two minutes first"
    put(session, "older", scheduled_dttm=now - LONG)
    put(session, "oldest", scheduled_dttm=now - LONG - SHORT)
    put(session, "elsewhere", pool="cpu", scheduled_dttm=now - LONG)
    put(session, "person", "avatar_render", pool="cpu", scheduled_dttm=now, priority_weight=1010)
    prefer(session)
    assert heaviest(session) == "oldest"
    assert heaviest(session, "cpu") == "person", "whom somebody waits for goes before it"
    for state in ("queued", "running", "deferred"):
        session.execute(sa.update(Task).where(Task.task_id == "oldest").values(state=state))
        prefer(session)
        assert heaviest(session) == "single", f"one at a time; the first is {state}"
    session.execute(sa.update(Task).where(Task.task_id == "oldest").values(state="scheduled"))
    assert heaviest(session) == "single", "its turn is over, and it queues as all do"
    session.execute(sa.update(Task).where(Task.task_id == "oldest").values(state="deferred"))
    put(session, "asks a person", pool="cpu", state="deferred", updated_at=now - LONG, priority_weight=500)
    prefer(session)
    over = {"state": "success", "end_date": now - SHORT}
    session.execute(sa.update(Task).where(Task.task_id == "oldest").values(over))
    prefer(session)
    assert heaviest(session) == "single"
    session.execute(sa.update(Task).where(Task.task_id == "oldest").values(end_date=now - LONG))
    prefer(session)
    assert heaviest(session) == "older"
    session.execute(sa.delete(Task).where(Task.task_id == "person"))
    assert heaviest(session, "cpu") == "elsewhere"


def test_airflows_own_door_begins_no_more_runs_than_airflow_works_on(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow import settings
    from airflow.models.dagrun import DagRun
    from avatarlab_web.door import StrictRuns
    from sqlalchemy.orm import sessionmaker

    from avatarlab_ops.graph import OPEN_RUNS

    engine = with_table(fresh, DagRun.__table__)
    monkeypatch.setattr(settings, "NonScopedSession", sessionmaker(engine))

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await Request(scope, receive).body()
        await PlainTextResponse("Airflow's own answer")(scope, receive, send)

    door = TestClient(StrictRuns(behind))
    run = {"dag_id": "avatar_render", "run_type": "manual", "state": "queued", "clear_number": 0}
    run |= {"run_after": datetime.now(UTC), "log_template_id": 1}
    with engine.begin() as connection:
        rows = [run | {"run_id": f"run-{number}"} for number in range(OPEN_RUNS - 1)]
        connection.execute(sa.insert(DagRun).values(rows))
    address = "/api/v2/dags/avatar_render/dagRuns"
    assert door.post(address, json={}).text == "Airflow's own answer"
    with engine.begin() as connection:
        connection.execute(sa.insert(DagRun).values(run | {"run_id": "one more", "state": "running"}))
    refused = door.post(address, json={})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert "256 runs of avatar_render are open" in refused.json()["detail"]
    assert door.post("/api/v2/dags/avatar_regenerate/dagRuns", json={}).status_code == 200
    assert door.get(address).status_code == 200
    with engine.begin() as connection:
        connection.execute(sa.update(DagRun).where(DagRun.run_id == "run-0").values(state="success"))
    assert door.post(address, json={}).status_code == 200
    for theirs in ("render-20261130-abc", "interactive-1"):
        with pytest.raises(HTTPException, match="are those of ordered renders") as told:
            door.post(address, json={"dag_run_id": theirs})
        assert told.value.status_code == 422
    assert door.post(address, json={"dag_run_id": "mine"}).status_code == 200
    engine.dispose()
