"""What is asked of Airflow's own tables: bulk tasks that waited long go next, no run too many begins."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
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
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table.name}")
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


def bulk_run(session: Session, run_id: str, caller: str, batches: int, *, age: timedelta) -> None:
    """A bulk run whose batches all wait for the device."""
    from airflow.models.dagrun import DagRun

    run = {"dag_id": "avatar_regenerate", "run_type": "manual", "state": "running", "clear_number": 0}
    run |= {
        "run_after": datetime.now(UTC) - age,
        "logical_date": datetime.now(UTC) - age,
        "log_template_id": 1,
    }
    session.execute(sa.insert(DagRun).values(run | {"run_id": run_id, "triggering_user_name": caller}))
    for number in range(batches):
        put(session, "batch.perform", run_id=run_id, map_index=number, scheduled_dttm=datetime.now(UTC) - age)


def taken(session: Session) -> tuple[str, Any]:
    """What Airflow's scheduler takes next, as it orders them: its run, and its id."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance as Task

    of_run = sa.and_(DagRun.run_id == Task.run_id, DagRun.dag_id == Task.dag_id)
    waits = sa.select(Task.run_id, Task.id).join(DagRun, of_run).where(Task.state == "scheduled")
    order = (-Task.priority_weight, DagRun.logical_date, Task.map_index)
    run_id, task = session.execute(waits.order_by(*order).limit(1)).one()
    session.execute(sa.update(Task).where(Task.id == task).values(state="running"))
    return run_id, task


@pytest.fixture
def runs_and_tasks(fresh: Settings, session: Session) -> Session:
    from airflow.models.dagrun import DagRun

    with_table(fresh, DagRun.__table__).dispose()
    return session


def test_callers_have_equal_turns_however_many_bulk_runs_one_begins(runs_and_tasks: Session) -> None:
    from airflow.models.taskinstance import TaskInstance as Task
    from avatarlab_web.turns import Turns, share

    session, memory = runs_and_tasks, {"gpu": Turns(), "cpu": Turns()}
    for number in range(3):
        bulk_run(session, f"ann-{number}", "ann", 4, age=LONG * (9 - number))
    bulk_run(session, "ben", "ben", 4, age=SHORT)
    turns = []
    for _ in range(8):
        share(session, memory)
        run, task = taken(session)
        share(session, memory)  # it is seen at work
        session.execute(sa.update(Task).where(Task.id == task).values(state="success"))
        turns.append(run)
    assert turns.count("ben") == 4, turns
    assert all(one != two for one, two in pairwise(turns)), turns
    assert sorted(set(turns)) == ["ann-0", "ann-1", "ann-2", "ben"], "a caller's own runs take turns too"
    heavy = sa.select(sa.func.max(Task.priority_weight)).where(Task.state == "scheduled")
    assert (session.scalar(heavy) or 0) < 10, "lighter than any task of a single render"


def test_a_batch_that_gave_its_place_back_queues_behind_other_callers(runs_and_tasks: Session) -> None:
    from airflow.models.taskinstance import TaskInstance as Task
    from avatarlab_web.turns import NEXT, Turns, share

    session, memory = runs_and_tasks, {"gpu": Turns()}
    for number, caller in enumerate(("ann", "ben", "cid")):
        bulk_run(session, caller, caller, 1, age=LONG * (9 - number))
    for expected in ("ann", "ben", "cid") * 2:
        share(session, memory)
        run, task = taken(session)
        assert run == expected
        share(session, memory)
        kept = session.scalar(sa.select(Task.priority_weight).where(Task.id == task))
        assert kept not in NEXT, "its turn has come"
        for state in ("deferred", "scheduled"):  # a look may find it between its turns
            session.execute(sa.update(Task).where(Task.id == task).values(state=state))
            share(session, memory)


def test_places_are_shared_by_callers_too(runs_and_tasks: Session) -> None:
    from avatarlab_web.turns import Turns, share

    session, memory = runs_and_tasks, {"gpu": Turns()}
    for number in range(4):
        bulk_run(session, f"ann-{number}", "ann", 2, age=LONG * (9 - number))
    bulk_run(session, "ben", "ben", 4, age=SHORT)
    at_once = []
    for _ in range(4):
        share(session, memory)
        at_once.append(taken(session)[0])
    assert at_once.count("ben") == 2, at_once


def test_callers_with_one_run_each_share_all_places_that_one_look_fills(runs_and_tasks: Session) -> None:
    from avatarlab_web.turns import Turns, share

    session = runs_and_tasks
    bulk_run(session, "ann", "ann", 20, age=LONG)
    bulk_run(session, "ben", "ben", 20, age=SHORT)
    share(session, {"gpu": Turns()})
    at_once = [taken(session)[0] for _ in range(16)]
    assert at_once[:5] == ["ann", "ben", "ann", "ben", "ann"]
    assert at_once.count("ben") == 8, at_once


def test_a_batch_that_was_preferred_and_gave_its_place_back_keeps_its_turn(runs_and_tasks: Session) -> None:
    from airflow.models.taskinstance import TaskInstance as Task
    from avatarlab_web.patience import PATIENT, prefer
    from avatarlab_web.turns import Turns, share

    session, memory = runs_and_tasks, {"gpu": Turns()}
    bulk_run(session, "ann", "ann", 1, age=SHORT)
    bulk_run(session, "ben", "ben", 9, age=LONG)
    gave_back = {"state": "deferred", "priority_weight": PATIENT, "updated_at": datetime.now(UTC)}
    session.execute(sa.update(Task).where(Task.run_id == "ann").values(gave_back))
    prefer(session)
    session.execute(sa.update(Task).where(Task.run_id == "ann").values(state="scheduled"))
    goes = []
    for _ in range(3):
        share(session, memory)
        goes.append(taken(session)[0])
    assert "ann" in goes, "its caller has none at work"


def test_what_was_preferred_long_ago_is_not_read_again(session: Session) -> None:
    from airflow.models.taskinstance import TaskInstance as Task
    from avatarlab_web.patience import PATIENT, SERVED, prefer

    now = datetime.now(UTC)
    for name, weight in (("ended", PATIENT), ("given back", SERVED)):
        put(session, name, state="success", end_date=now - LONG, priority_weight=weight)
    put(session, "just ended", state="success", end_date=now - SHORT, priority_weight=PATIENT)
    put(session, "waits", scheduled_dttm=now - LONG)
    assert prefer(session) == [], "one ended less than two minutes ago"
    kept = {
        one.task_id: one.priority_weight
        for one in session.execute(sa.select(Task.task_id, Task.priority_weight))
    }
    assert kept == {"ended": 1, "given back": 1, "just ended": PATIENT, "waits": 1}


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
    wish = {"conf": {"script": "Hi.", "avatar.uri": "s3://inputs/a.png"}}
    assert door.post(address, json=wish).text == "Airflow's own answer"
    with engine.begin() as connection:
        connection.execute(sa.insert(DagRun).values(run | {"run_id": "one more", "state": "running"}))
    refused = door.post(address, json=wish)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    many = {"conf": {"file": "s3://inputs/rows.csv"}}
    assert "256 runs of avatar_render are open" in refused.json()["detail"]
    assert door.post("/api/v2/dags/avatar_regenerate/dagRuns", json=many).status_code == 200
    assert door.get(address).status_code == 200
    with engine.begin() as connection:
        connection.execute(sa.update(DagRun).where(DagRun.run_id == "run-0").values(state="success"))
    assert door.post(address, json=wish).status_code == 200
    kinds = ("application/json", "application/JSON")
    for theirs, kind in product(("render-20261130-abc", "interactive-1"), kinds):
        with pytest.raises(HTTPException, match="are those of ordered renders") as told:
            door.post(address, json=wish | {"dag_run_id": theirs}, headers={"Content-Type": kind})
        assert told.value.status_code == 422
    assert door.post(address, json=wish | {"dag_run_id": "mine"}).status_code == 200
    engine.dispose()


@pytest.mark.parametrize(
    ("dag", "asked"),
    [
        ("avatar_render", {"script": "Hi.", "avatar.uri": "s3://inputs/a.png"}),
        ("avatar_regenerate", {"file": "s3://inputs/rows.csv"}),
    ],
)
def test_airflows_own_door_takes_no_deadline_that_has_passed(
    stores: Settings, monkeypatch: pytest.MonkeyPatch, dag: str, asked: dict[str, Any]
) -> None:
    from avatarlab_web import door

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await PlainTextResponse("Airflow's own answer")(scope, receive, send)

    monkeypatch.setattr(door, "_full", lambda: False)
    monkeypatch.setattr(door, "stores", lambda: stores)
    client, address = TestClient(door.StrictRuns(behind)), f"/api/v2/dags/{dag}/dagRuns"
    for conf in (asked, asked | {"deadline": "2099-12-04T18:00:00Z"}, "of another shape"):
        assert client.post(address, json={"conf": conf}).text == "Airflow's own answer"
    with pytest.raises(HTTPException, match=r"deadline: 2020-12-04T18:00:00\+00:00 has passed") as told:
        client.post(address, json={"conf": asked | {"deadline": "2020-12-04T18:00:00Z"}})
    assert told.value.status_code == 422


@pytest.mark.parametrize(
    ("dag", "body", "told"),
    [
        ("avatar_render", {}, "script: Field required; avatar: Field required"),
        (
            "avatar_render",
            {"conf": {"script": "Hi.", "avatar.uri": "", "output.fps": 1000, "hat": "red"}},
            r"avatar\.uri: .*output\.fps: .*hat: no such field",
        ),
        ("avatar_render", {"conf": {"script": "{{name}}", "avatar.uri": "s3://inputs/a.png"}}, "placeholder"),
        ("avatar_regenerate", {"conf": None}, "give a file, or choose published videos"),
        ("avatar_regenerate", {"conf": {"file": "rows.csv", "hat": 1}}, "file: .*hat"),
    ],
)
def test_what_breaks_the_contract_is_refused_before_airflow_begins_a_run(
    monkeypatch: pytest.MonkeyPatch, dag: str, body: dict[str, Any], told: str
) -> None:
    from avatarlab_web import door

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await PlainTextResponse("Airflow's own answer")(scope, receive, send)

    monkeypatch.setattr(door, "_full", lambda: False)
    with pytest.raises(HTTPException, match=told) as refused:
        TestClient(door.StrictRuns(behind)).post(f"/api/v2/dags/{dag}/dagRuns", json=body)
    assert refused.value.status_code == 422
