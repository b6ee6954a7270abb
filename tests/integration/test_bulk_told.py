"""A bulk run's end is told once, to whom it concerns, by whatever path it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from avatarlab_web import runs
from sqlalchemy.orm import Session

from avatarlab_ops import events, pipeline
from avatarlab_ops.bulk import planning, report, work
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import RequestInvalid, TransientError
from avatarlab_ops.graph import GROUPS
from avatarlab_ops.housekeeping import Rules
from avatarlab_ops.housekeeping.chore import Job
from avatarlab_ops.housekeeping.ended import vanished
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import BulkEvent, Event
from avatarlab_ops.stores import outbox, webhooks
from avatarlab_ops.stores.catalog import bulk as catalog
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m

from .bulk_runs import asked, rows

AIRFLOW = "http://airflow.example"


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture
def addresses(stores: Settings) -> Iterator[None]:
    """Anna has an address told of all that is hers, and a secret for those of single orders; Ben has one."""
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.delete(m.WebhookEndpoint))
        webhooks.add(db, "https://anna.example/all", "anna", everybody=False)
        webhooks.add(db, "https://ben.example/all", "ben", everybody=False)
        for caller in ("anna", "ben"):
            webhooks.add(db, None, caller, everybody=False)
    yield
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.delete(m.WebhookEndpoint))


def written(stores: Settings, name: str, items: int = 2, run_id: str | None = None) -> str:
    """A bulk run of Anna's as its plan writes it, with an address of its own."""
    with transaction(stores.pg_dsn) as db:
        webhooks.call_back_of_bulk(db, name, "anna", "https://anna.example/one")
        catalog.begin(
            db, id=name, run_id=run_id, caller="anna", spec={}, spec_sha256="0" * 64,
            problems={"count": 1, "first": ["line 9: wrong"]},
        )  # fmt: skip
        rows = [
            {"bulk_id": name, "number": number, "key": f"row-{number}", "batch": 0, "predicted_gpu_s": 0.0,
             "request": {"script": "Hello.", "avatar": {"uri": f"s3://elsewhere/{number}.png"}}}
            for number in range(items)
        ]  # fmt: skip
        catalog.add_items(db, rows)
    return name


def rendering(stores: Settings, name: str) -> str:
    """As if the first item of a bulk run were being rendered."""
    avatar = {"uri": f"s3://{stores.bucket_inputs}/a.png"}
    render_id = pipeline.submit(stores, {"script": f"For {name}.", "avatar": avatar})
    with transaction(stores.pg_dsn) as db:
        one = sa.update(m.BulkItem).where(m.BulkItem.bulk_id == name, m.BulkItem.number == 0)
        db.execute(one.values(render_id=render_id))
    return render_id


def told_webhooks(stores: Settings, name: str) -> dict[str, list[Json]]:
    """Address to what it is told of a bulk run."""
    found: dict[str, list[Json]] = {}
    mine = m.WebhookDelivery.payload["data"]["id"].as_string() == name
    due = sa.select(m.WebhookDelivery).where(mine, m.WebhookDelivery.next_at < m.HELD)
    with transaction(stores.pg_dsn) as db:
        for row in db.scalars(due.order_by(m.WebhookDelivery.created_at)):
            found.setdefault(row.url, []).append(row.payload)
    return found


def lineage(stores: Settings, name: str) -> list[str]:
    """Types of the OpenLineage events of a bulk run."""
    mine = sa.select(m.Outbox.payload).where(m.Outbox.key.startswith(f"bulk:{name}:"))
    with transaction(stores.pg_dsn) as db:
        return [payload["eventType"] for payload in db.scalars(mine)]


def last_item(stores: Settings, name: str) -> None:
    assert all(work.work(stores, name, 0, group, last_try=True) for group in GROUPS)
    report.finish(stores, name, address=AIRFLOW)


def cancelled(stores: Settings, name: str) -> None:
    rendering(stores, name)
    work.cancel(stores, name, address=AIRFLOW)


def killed_before_the_record(stores: Settings, name: str) -> None:
    """The worker dies when the report is written, then once more when all is told and nothing committed."""
    with transaction(stores.pg_dsn) as db:
        catalog.end_rest(db, name, "failed", "it was lost")

    def die(*_: object) -> None:
        raise Killed

    for patched, attribute, value in (
        (catalog, "end", die), (events, "BULK_LISTENERS", (*events.BULK_LISTENERS, die)),
    ):  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(patched, attribute, value)
            with pytest.raises(Killed):
                report.finish(stores, name, address=AIRFLOW)
        assert (told_webhooks(stores, name), lineage(stores, name)) == ({}, [])
    report.finish(stores, name, address=AIRFLOW)


def airflow_says(stores: Settings, state: str | None, *, last_task_failed: bool = False) -> None:
    """The api-server looks at its runs; Airflow's database is stood in for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API__BASE_URL", AIRFLOW)
        patch.setattr(runs, "stores", lambda: stores)
        patch.setattr(runs, "_states", lambda ids, _dag: dict.fromkeys(ids, state) if state else {})
        patch.setattr(runs, "_failed_by_themselves", lambda ids: set(ids) if last_task_failed else set())
        patch.setattr(runs, "_note", lambda *_: None)
        runs.end_bulk_runs()


def marked_in_airflow(stores: Settings, name: str) -> None:
    rendering(stores, name)
    airflow_says(stores, "failed")


def deleted_in_airflow(stores: Settings, name: str) -> None:
    airflow_says(stores, None)


def housekeeping(stores: Settings, name: str) -> None:
    """Its own last task failed while a killed worker's render was left; housekeeping ends that one."""
    render_id = rendering(stores, name)
    with transaction(stores.pg_dsn) as db:
        catalog.end_rest(db, name, "failed", "it was lost")
    airflow_says(stores, "failed", last_task_failed=True)
    assert told_webhooks(stores, name) == {}, "a run that goes on when it is cleared has not ended"
    later = records.now() + 3 * Rules().idle
    vanished(Job(stores, Rules(), True, lambda _: None, later, lambda _: False))
    with transaction(stores.pg_dsn) as db:
        assert records.find(db, render_id).state == "failed"
    airflow_says(stores, "failed", last_task_failed=True)


@pytest.mark.usefixtures("addresses")
def test_however_many_renders_end_with_a_bulk_run_its_receivers_are_asked_once(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each delivery waits seconds for a MongoDB that is away, in the request that cancels."""
    avatar = {"uri": f"s3://{stores.bucket_inputs}/a.png"}
    name = written(stores, "many", items=5)
    ids = [pipeline.submit(stores, {"script": f"Many {n}.", "avatar": avatar}) for n in range(4)]
    with transaction(stores.pg_dsn) as db:
        for number, render_id in enumerate(ids):
            one = sa.update(m.BulkItem).where(m.BulkItem.bulk_id == name, m.BulkItem.number == number)
            db.execute(one.values(render_id=render_id))
    delivered: list[str | None] = []
    deliver = outbox.deliver

    def counted(settings: Settings, *, render_id: str | None = None) -> tuple[int, int]:
        delivered.append(render_id)
        return deliver(settings, render_id=render_id)

    monkeypatch.setattr(outbox, "deliver", counted)
    monkeypatch.setattr(pipeline, "ENDED_AT_ONCE", 3)
    assert work.cancel(stores, name, "enough").states == {"cancelled": 5}
    assert delivered == [None]
    with transaction(stores.pg_dsn) as db:
        found = {one.id: (one.state, one.error) for one in db.scalars(sa.select(m.Render)) if one.id in ids}
    assert found == dict.fromkeys(ids, ("cancelled", "enough"))


@pytest.mark.usefixtures("addresses")
@pytest.mark.parametrize(
    ("ends", "outcome", "states"),
    [
        (last_item, "failed", {"failed": 2}),
        (cancelled, "cancelled", {"cancelled": 2}),
        (killed_before_the_record, "failed", {"failed": 2}),
        (marked_in_airflow, "failed", {"failed": 2}),
        (deleted_in_airflow, "cancelled", {"cancelled": 2}),
        (housekeeping, "failed", {"failed": 2}),
    ],
)
def test_the_end_of_a_bulk_run_is_told_once_by_whatever_path_it_ends(
    stores: Settings, ends: Callable[[Settings, str], None], outcome: str, states: dict[str, int]
) -> None:
    name = written(stores, ends.__name__, run_id=f"manual__{ends.__name__}")
    ends(stores, name)
    report.finish(stores, name)
    work.cancel(stores, name)
    airflow_says(stores, "success")
    told = told_webhooks(stores, name)
    assert set(told) == {"https://anna.example/all", "https://anna.example/one"}
    [said], [own] = told.values()
    assert said == own
    with transaction(stores.pg_dsn) as db:
        ended_at = catalog.existing(db, name).ended_at
    assert ended_at
    data = said["data"]
    assert (said["type"], said["timestamp"], data["outcome"]) == (
        "bulk_run.finished", ended_at.isoformat(), outcome
    )  # fmt: skip
    assert (data["caller"], data["items"], data["states"], data["problems"]) == ("anna", 2, states, 1)
    assert data["report"]["csv"]["uri"] == f"s3://{stores.bucket_outputs}/bulk/{name}/report.csv"
    assert data["links"]["csv"] == f"{AIRFLOW}/avatarlab/api/v1/bulk-runs/{name}/report.csv"
    assert lineage(stores, name) == [{"failed": "FAIL", "cancelled": "ABORT"}[outcome]]


@pytest.mark.usefixtures("addresses")
def test_a_bulk_runs_own_address_hears_of_its_callers_run_alone(stores: Settings) -> None:
    """Ben asked for a run of the same name at the same moment; the name became Anna's."""
    with transaction(stores.pg_dsn) as db:
        webhooks.call_back_of_bulk(db, "raced", "ben", "https://ben.example/one")
    written(stores, "raced", items=0)
    report.finish(stores, "raced")
    told = told_webhooks(stores, "raced")
    assert set(told) == {"https://anna.example/all", "https://anna.example/one"}
    assert told["https://anna.example/one"][0]["data"]["outcome"] == "completed"


def planned(stores: Settings, name: str, file: str, *, last_try: bool = False) -> None:
    """The first task of Anna's bulk run, which names an address of its own."""
    with transaction(stores.pg_dsn) as db:
        webhooks.call_back_of_bulk(db, name, "anna", "https://anna.example/one")
    plan_again(stores, name, file, last_try=last_try)


def plan_again(stores: Settings, name: str, file: str, *, last_try: bool = False) -> None:
    planning.plan_or_tell(
        stores, asked(file=file), bulk_id=name, caller="anna", run_id=name, last_try=last_try, address=AIRFLOW
    )


@pytest.mark.usefixtures("addresses")
def test_a_file_that_is_refused_while_it_is_planned_is_told_once_with_the_reason(stores: Settings) -> None:
    file = rows(stores, "s3://elsewhere/a.png", "wrong", ["Hello."])
    with pytest.raises(RequestInvalid) as refused:
        planned(stores, "wrong", file)
    with pytest.raises(RequestInvalid):
        plan_again(stores, "wrong", file)  # cleared in Airflow
    airflow_says(stores, "failed")
    told = told_webhooks(stores, "wrong")
    assert set(told) == {"https://anna.example/all", "https://anna.example/one"}
    [said], [own] = told.values()
    assert said == own
    data = said["data"]
    assert (said["type"], data["outcome"], data["items"]) == ("bulk_run.finished", "failed", 0)
    assert data["reason"] == {"code": "request_invalid", "text": str(refused.value)}
    assert "line 2" in data["reason"]["text"]
    assert data["links"] == {"self": f"{AIRFLOW}/avatarlab/api/v1/bulk-runs/wrong"}
    written(stores, "right", items=0)
    report.finish(stores, "right", address=AIRFLOW)
    right = told_webhooks(stores, "right")["https://anna.example/one"][0]["data"]
    assert right.keys() == data.keys(), "whoever reads one reads the other"


@pytest.mark.usefixtures("addresses")
def test_a_plan_that_is_tried_again_is_told_of_only_when_it_is_given_up(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise TransientError("the store is away")

    monkeypatch.setattr(planning, "plan", away)
    for last_try, codes in ((False, []), (True, ["transient"])):
        with pytest.raises(TransientError):
            planned(stores, f"tried-{last_try}", "s3://inputs/none.csv", last_try=last_try)
        told = told_webhooks(stores, f"tried-{last_try}").get("https://anna.example/one", [])
        assert [one["data"]["reason"]["code"] for one in told] == codes


@pytest.mark.usefixtures("addresses")
@pytest.mark.parametrize(("state", "outcome"), [("failed", "failed"), ("success", "cancelled"), (None, None)])
def test_a_run_that_ends_before_it_is_planned_and_tells_nothing_is_told_of_by_the_api_server(
    stores: Settings, state: str | None, outcome: str | None
) -> None:
    name = f"unplanned-{state}"
    with transaction(stores.pg_dsn) as db:
        webhooks.call_back_of_bulk(db, name, "anna", "https://anna.example/one")
    airflow_says(stores, "running")
    assert told_webhooks(stores, name) == {}
    for _ in range(2):
        airflow_says(stores, state)
    told = told_webhooks(stores, name).get("https://anna.example/one", [])
    assert [one["data"]["outcome"] for one in told] == [outcome] * bool(outcome)


@pytest.fixture
def subscriber(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Another subscriber, as a module of its own would be: three functions, a line of events.py for each."""
    heard: list[str] = []

    def hear(_db: Session, _settings: Settings, render: m.Render, event: Event, _files: object) -> None:
        heard.append(f"render {event} {render.state}")

    def hear_stage(db: Session, _settings: Settings, render_id: str, stage: str) -> None:
        heard.append(f"stage {stage} {records.stage_run(db, render_id, stage).state}")

    def hear_bulk(_db: Session, _settings: Settings, run: m.BulkRun, event: BulkEvent, told: Json) -> None:
        heard.append(f"bulk {event} {told['outcome']} {run.ended_at is not None}")

    monkeypatch.setattr(events, "LISTENERS", (*events.LISTENERS, hear))
    monkeypatch.setattr(events, "STAGE_LISTENERS", (*events.STAGE_LISTENERS, hear_stage))
    monkeypatch.setattr(events, "BULK_LISTENERS", (*events.BULK_LISTENERS, hear_bulk))
    return heard


@pytest.mark.usefixtures("addresses")
def test_another_subscriber_hears_of_renders_stages_and_bulk_runs_as_they_are_on_record(
    stores: Settings, subscriber: list[str]
) -> None:
    written(stores, "heard", items=1)
    render_id = rendering(stores, "heard")
    with transaction(stores.pg_dsn) as db:
        events.stage_done(db, stores, render_id, "face", cached=True)
        events.stage_done(db, stores, render_id, "matte")
    pipeline.fail(stores, render_id, "the film was lost")
    report.finish(stores, "heard")
    assert subscriber == [
        "render accepted accepted", "stage face cached", "stage matte done", "render failed failed",
        "bulk finished failed True",
    ]  # fmt: skip
