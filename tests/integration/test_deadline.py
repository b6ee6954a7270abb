"""A single render's deadline: when it is late, who is told, and how it is moved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from avatarlab_ops import metrics, pipeline
from avatarlab_ops.bulk import planning
from avatarlab_ops.canonical import Json
from avatarlab_ops.renders import lateness
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import deadlines, transaction
from avatarlab_ops.stores.catalog import tables as m

from .api_server import Server, serving
from .bulk_runs import asked as bulk_asked
from .bulk_runs import rows

LONG_AGO = "2020-01-01T00:00:00+00:00"


@pytest.fixture
def api(stores: Settings) -> Iterator[Server]:
    with serving(stores) as server:
        yield server


def by(minutes: float) -> str:
    return (datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes)).isoformat()


def asked(portrait: str, script: str, deadline: str | None = None) -> Json:
    return {"script": script, "avatar": {"uri": portrait}, "deadline": deadline}


def forecast(stores: Settings, render_id: str, minutes: float) -> None:
    """As if it had been admitted, and its work would take so long."""
    with transaction(stores.pg_dsn) as db:
        mine = sa.update(m.Render).where(m.Render.id == render_id)
        db.execute(mine.values(predicted={"speech": 60.0 * minutes}))
        order = sa.update(m.RenderOrder).where(m.RenderOrder.render_id == render_id)
        db.execute(order.values(begun_at=datetime.now(UTC)))


def told(stores: Settings, render_id: str) -> list[Json]:
    """What webhooks are told of it."""
    with transaction(stores.pg_dsn) as db:
        every = db.scalars(sa.select(m.WebhookDelivery.payload)).all()
    return [one for one in every if one["data"]["id"] == render_id]


def late_metric(stores: Settings) -> str:
    lines = metrics.text(stores).decode().splitlines()
    return next(line for line in lines if line.startswith("avatarlab_renders_late "))


def test_who_asked_is_told_once_that_a_render_is_late_and_another_deadline_lets_it_be_told_anew(
    api: Server, stores: Settings, portrait: str
) -> None:
    with transaction(stores.pg_dsn) as db:
        webhooks.add(db, "https://example.org/late", "anna", everybody=False)
    made = api.order(asked(portrait, "By then.", first := by(30)), "late-1").json()
    path = f"/renders/{made['id']}"
    assert (datetime.fromisoformat(made["deadline"]), made["late"]) == (datetime.fromisoformat(first), False)
    assert lateness.tell_late(stores) == []  # it is first in line
    forecast(stores, made["id"], 20)
    assert lateness.tell_late(stores) == []
    forecast(stores, made["id"], 40)
    assert api.client.get(path).json()["late"]
    assert (lateness.tell_late(stores), lateness.tell_late(stores)) == ([made["id"]], [])
    (message,) = told(stores, made["id"])
    assert (message["type"], message["data"]["state"]) == ("render.late", "accepted")
    assert message["data"]["deadline"] == first
    assert late_metric(stores).endswith(" 1.0")
    moved = api.order(asked(portrait, "By then.", by(50)), "late-1")  # the same, by another time
    assert (moved.status_code, moved.json()["id"], moved.json()["late"]) == (202, made["id"], False)
    assert late_metric(stores).endswith(" 0.0")
    forecast(stores, made["id"], 60)
    assert lateness.tell_late(stores) == [made["id"]]
    assert api.order(asked(portrait, "By then."), "late-1").json()["late"]  # left out, it stays
    pipeline.cancel(stores, made["id"])
    assert late_metric(stores).endswith(" 0.0")


def test_a_deadline_that_passes_before_admission_is_told(stores: Settings, portrait: str) -> None:
    render_id = pipeline.submit(stores, asked(portrait, "Nobody began.", by(1)), caller="anna")
    assert lateness.tell_late(stores) == []
    with transaction(stores.pg_dsn) as db:
        db.get_one(m.Render, render_id).deadline = datetime.now(UTC) - timedelta(seconds=1)
        assert not deadlines.mark_told(db, render_id, datetime.now(UTC)), "it was moved since it was judged"
    assert lateness.tell_late(stores) == [render_id]
    pipeline.cancel(stores, render_id)


def test_a_deadline_has_a_time_zone_is_to_come_and_belongs_to_one_order(
    api: Server, stores: Settings, portrait: str
) -> None:
    refused = api.order(asked(portrait, "Too late.", LONG_AGO), "late-2")
    assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")
    assert refused.json()["detail"] == f"deadline: {LONG_AGO} has passed; give a time to come"
    refused = api.order(asked(portrait, "When?", "2027-01-29T18:00:00"), "late-2")
    assert (refused.status_code, "needs a time zone" in refused.text) == (422, True)
    made = api.order(asked(portrait, "Once more.", by(60)), "late-2").json()
    refused = api.order(asked(portrait, "Once more.", LONG_AGO), "late-2")
    assert (refused.status_code, "has passed" in refused.text) == (422, True)
    refused = api.order(asked(portrait, "Once more.", "9999-12-31T23:59:59-12:00"), "late-2")
    assert (refused.status_code, "years 1 to 9999" in refused.text) == (422, True)
    anew = api.client.post(f"/renders/{made['id']}/regenerate", headers={"Idempotency-Key": "late-3"}).json()
    assert (anew["deadline"], anew["request"]["script"]) == (None, "Once more.")
    for render_id in (made["id"], anew["id"]):
        pipeline.cancel(stores, render_id)


def test_the_run_of_an_order_takes_back_no_deadline_that_was_moved_meanwhile(
    api: Server, stores: Settings, portrait: str
) -> None:
    body = asked(portrait, "Moved.", by(10))
    made = api.order(body, "late-4").json()
    later = api.order(body | {"deadline": by(90)}, "late-4").json()["deadline"]
    pipeline.submit(
        stores, body | {"idempotency_key": "late-4"}, run_id=made["run_id"], caller="anna", begins=True
    )
    assert api.client.get(f"/renders/{made['id']}").json()["deadline"] == later
    pipeline.cancel(stores, made["id"])


def test_a_row_of_a_bulk_run_has_no_deadline_of_its_own(stores: Settings, portrait: str) -> None:
    uri = rows(stores, portrait, "rows_by", ["Row."], deadline=by(60))
    outline = planning.plan(stores, bulk_asked(file=uri, dry_run=True), bulk_id="rows_by", caller="anna")
    assert outline.told == ("line 2: deadline: a row has none; give it to the bulk run",)


def test_an_order_far_behind_in_line_is_late_before_it_begins(
    api: Server, stores: Settings, portrait: str
) -> None:
    made = api.order(asked(portrait, "Far behind.", by(30)), "late-5").json()
    with transaction(stores.pg_dsn) as db:
        order = db.get_one(m.RenderOrder, made["id"])
        order.work_s = 3600.0
    assert api.client.get(f"/renders/{made['id']}").json()["late"]
    assert lateness.tell_late(stores) == [made["id"]]
    pipeline.cancel(stores, made["id"])
