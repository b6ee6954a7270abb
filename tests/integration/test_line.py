"""The line of ordered renders: who begins next, on PostgreSQL, which chooses; nothing waits for ever."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from avatarlab_ops import metrics, pipeline
from avatarlab_ops.errors import QueueFull
from avatarlab_ops.housekeeping import Rules, keep_house
from avatarlab_ops.housekeeping.chore import Job
from avatarlab_ops.housekeeping.clean import undelivered
from avatarlab_ops.renders import orders, status
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import OPEN, Priority
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import line, records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog.line import PATIENCE, Room

from .api_server import Server, serving

NOW, NORMAL, BULK = Priority
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_number = itertools.count()


@pytest.fixture(autouse=True)
def _empty(stores: Settings) -> None:
    """Nobody is in line or at work, nobody was given anything, and the next turn is the first of five."""
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.delete(m.RenderOrder))
        db.execute(sa.update(m.Render).where(m.Render.state.in_(OPEN)).values(state="cancelled"))


def put(
    db: Session, caller: str, priority: Priority = NORMAL, work_s: float = 10.0, age_s: float = 0.0
) -> str:
    """An accepted order of this age; the id tells whose."""
    number = next(_number)
    name = f"{caller}-{number}"
    request = {"id": name, "sha256": name, "body": {}, "caller": caller, "run_id": f"render-{name}"}
    db.execute(sa.insert(m.Request).values(request))
    render = {"id": name, "request_id": name, "run_id": f"render-{name}", "code_version": "x"}
    db.execute(sa.insert(m.Render).values(render | {"state": "accepted"}))
    outbox.post(db, records.RUNS, f"render-{name}", {}, name, held=True)
    placed = records.now() - timedelta(seconds=age_s) + timedelta(microseconds=number)
    order = {"caller": caller, "priority": priority, "work_s": work_s, "gpu_s": work_s, "placed_at": placed}
    db.execute(sa.insert(m.RenderOrder).values(order | {"render_id": name}))
    return name


def end(db: Session, *renders: str) -> None:
    db.execute(
        sa.update(m.Render).where(m.Render.id.in_(renders)).values(state="published", ended_at=records.now())
    )


def begun(db: Session, count: int) -> list[str]:
    """The next so many, one turn after the other, each over before the next begins."""
    found = []
    for _ in range(count):
        (one,) = line.take(db, Room(1, 0))
        end(db, one)
        found.append(one)
    return found


def test_no_more_begin_than_there_is_room_for_and_each_once(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        waiting = [put(db, "anna") for _ in range(7)]
    first = orders.let_begin(stores, Room(3, 0))
    assert first == waiting[:3]
    assert orders.let_begin(stores, Room(3, 0)) == []
    assert set(due(stores)) == set(first), "only those are sent to Airflow"
    with transaction(stores.pg_dsn) as db:
        end(db, first[0])
    assert orders.let_begin(stores, Room(3, 0)) == waiting[3:4]


def test_who_waits_for_equal_work_or_a_person_holds_no_place(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        waiting = [put(db, "anna") for _ in range(9)]
        begun_ones = line.take(db, Room(3, 0))
        for one in begun_ones[1:]:
            records.end_stage(db, one, "face", "waiting")
        assert line.take(db, Room(3, 0)) == waiting[3:5], "two of three do nothing"
        for one in waiting[3:5]:
            records.end_stage(db, one, "face", "waiting")
        assert line.take(db, Room(3, 0)) == waiting[5:6], "but no more than six are begun"
        asked = {"state": "running", "approval_asked_at": records.now()}
        db.execute(sa.update(m.Render).where(m.Render.id == waiting[5]).values(asked))
        assert line.take(db, Room(3, 0)) == waiting[6:7]


def due(stores: Settings) -> list[str]:
    now = m.Outbox.next_at <= records.now()
    query = sa.select(m.Outbox.render_id).join(m.RenderOrder, m.RenderOrder.render_id == m.Outbox.render_id)
    with transaction(stores.pg_dsn) as db:
        return [str(one) for one in db.scalars(query.where(m.Outbox.topic == records.RUNS, now))]


def test_an_interactive_order_that_came_last_is_next_though_every_place_is_taken(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        for _ in range(50):
            put(db, "anna")
        line.take(db, Room(4, 1))
        hers = put(db, "anna", NOW)  # of the very caller who has fifty before it
        theirs = put(db, "berta", NOW)
        assert line.take(db, Room(4, 1)) == [theirs], "anna was given four, berta nothing"
        assert line.take(db, Room(4, 1)) == [], "one place is kept for people, and it is taken"
        end(db, theirs)
        assert line.take(db, Room(4, 1)) == [hers]


def test_one_caller_with_many_orders_keeps_no_other_waiting(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        for _ in range(60):
            put(db, "anna", work_s=5)
        begun(db, 2)
        theirs = [put(db, "berta", work_s=10) for _ in range(8)]
        order = begun(db, 18)
    work = {"anna": 0, "berta": 0}
    for one in order:
        work[one.partition("-")[0]] += 5 if one.startswith("anna") else 10
    assert order.index(theirs[0]) <= 1, "berta was given nothing yet"
    assert abs(work["anna"] - work["berta"]) <= 40, "each half of the work, but for the turns by age"


def test_what_was_given_an_hour_ago_no_longer_counts(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        put(db, "anna")
        begun(db, 1)
        first, second = put(db, "anna"), put(db, "berta")
        assert next(iter(line.first(db, 1))).render_id == second
        hour = timedelta(minutes=61)
        db.execute(sa.update(m.RenderOrder).values(begun_at=m.RenderOrder.begun_at - hour))
        assert next(iter(line.first(db, 1))).render_id == first


Orders = st.lists(
    st.tuples(
        st.sampled_from(["anna", "berta", "carla"]),
        st.sampled_from(Priority),
        st.sampled_from([1.0, 7.0, 30.0]),
    ),
    max_size=3,
)


@trials(
    max_examples=12,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(Orders, min_size=2, max_size=14))
def test_turns_go_by_class_then_share_then_age_and_each_fifth_by_age(
    stores: Settings, steps: list[list[tuple[str, Priority, float]]]
) -> None:
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.delete(m.RenderOrder))
        waiting: list[tuple[str, str, Priority, float]] = []  # oldest first
        given_s: dict[str, float] = {}
        turn = 0
        for arriving in [*steps, *[[]] * 42]:  # then nobody comes until all have begun
            waiting += [(put(db, *one), *one) for one in arriving]
            if not waiting:
                continue
            turn += 1
            assert turn % PATIENCE or quick_is_near(db)
            by_share = min(waiting, key=lambda one: (one[2], given_s.get(one[1], 0.0), waiting.index(one)))
            expected = waiting[0] if turn % PATIENCE == 0 else by_share
            assert begun(db, 1) == [expected[0]]
            waiting.remove(expected)
            given_s[expected[1]] = given_s.get(expected[1], 0.0) + expected[3]
        assert waiting == []
        db.rollback()


def quick_is_near(db: Session) -> bool:
    """What one order is told agrees with the whole line, but for an order's work of each other caller."""
    told = {}
    for place in line.first(db, 100):
        times = line.times_of(db, place.render_id)
        assert place.expected_start
        assert times
        assert times[0]
        told[place.render_id] = abs((times[0] - place.expected_start).total_seconds())
    return max(told.values()) <= 60.5


def test_a_bulk_order_begins_whoever_else_keeps_coming(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        older = [put(db, "carla") for _ in range(2)]
        patient = put(db, "berta", BULK)
        turns = []
        while patient not in turns:
            put(db, f"new{len(turns)}", NOW)
            put(db, f"new{len(turns)}", NORMAL)
            turns += begun(db, 1)
            assert len(turns) <= PATIENCE * (len(older) + 1)


def test_the_expected_start_is_by_the_pace_of_those_that_waited(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        for number in range(20):
            name = put(db, "anna", work_s=10, age_s=9000)
            at = records.now() - timedelta(seconds=40 * (20 - number))
            values = {"begun_at": at, "turn": number + 1}
            db.execute(sa.update(m.RenderOrder).where(m.RenderOrder.render_id == name).values(values))
            end(db, name)
            ended = {"ended_at": at + timedelta(seconds=90)}
            db.execute(sa.update(m.Render).where(m.Render.id == name).values(ended))
        ahead = [put(db, "anna", work_s=10) for _ in range(5)]
        last = put(db, "anna", work_s=20)
        place, times = line.first(db, 10)[-1], line.times_of(db, last)
    assert (place.render_id, place.number) == (last, len(ahead) + 1)
    assert place.expected_start
    assert place.expected_end
    assert times
    for exact, quick in zip((place.expected_start, place.expected_end), times, strict=True):
        assert quick
        assert abs((quick - exact).total_seconds()) < 1
    # A begin each 40 s for 10 s of work: 70 s of work take 280 s; nine seconds stay for each of work.
    assert abs((place.expected_start - records.now()).total_seconds() - 280) < 3
    assert abs((place.expected_end - place.expected_start).total_seconds() - 180) < 1


def test_who_is_cancelled_in_line_leaves_it_and_nothing_is_begun(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        first, second = put(db, "anna"), put(db, "anna")
    pipeline.cancel(stores, first)
    assert status.of(stores, first).expected_start is None
    assert orders.let_begin(stores, Room(1, 0)) == [first, second], "nothing holds the message of the first"
    with transaction(stores.pg_dsn) as db:
        assert line.count(db, "anna") == (0, 0)
        assert db.get(m.RenderOrder, first) is None


def test_housekeeping_leaves_alone_who_waits_in_line(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        waits = put(db, "anna", age_s=90_000)
        long_ago = {"created_at": LONG_AGO}
        db.execute(sa.update(m.Render).where(m.Render.id == waits).values(long_ago))
    keep_house(stores, Rules(), apply=True, alive=lambda _: False)
    assert status.of(stores, waits).state == "accepted"
    assert orders.let_begin(stores, Room(1, 0)) == [waits]
    long_begun = {"begun_at": LONG_AGO}
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(m.RenderOrder).where(m.RenderOrder.render_id == waits).values(long_begun))
    keep_house(stores, Rules(), apply=True, alive=lambda _: False)
    assert status.of(stores, waits).state == "accepted", "its run is still to be begun"


def test_what_stands_in_line_is_no_document_that_was_not_delivered(stores: Settings) -> None:
    job = Job(stores, Rules(), apply=False, alive=lambda _: None)
    before = undelivered(job).found
    with transaction(stores.pg_dsn) as db:
        put(db, "anna")
    assert undelivered(job).found == before


def test_runs_of_airflows_own_door_take_half_of_the_places_at_most(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        for _ in range(10):
            own = put(db, "script")
            db.execute(sa.delete(m.RenderOrder).where(m.RenderOrder.render_id == own))
            db.execute(sa.update(m.Render).where(m.Render.id == own).values(state="running"))
        waiting = [put(db, "anna") for _ in range(4)]
        assert line.take(db, Room(4, 0)) == waiting[:2]
        assert line.take(db, Room(4, 0)) == []


def test_no_more_runs_are_open_than_airflow_works_on(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        waiting = [put(db, "anna") for _ in range(6)]
        asked = line.take(db, Room(3, 0, open=5))
        values = {"state": "running", "approval_asked_at": records.now()}
        db.execute(sa.update(m.Render).where(m.Render.id.in_(asked)).values(values))
        person = put(db, "berta", NOW)
        assert line.take(db, Room(3, 1, open=5)) == [person, waiting[3]]
        assert line.take(db, Room(3, 4, open=5)) == []


def test_time_in_line_makes_no_render_look_stuck(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        waits = put(db, "anna")
        db.execute(sa.update(m.Render).where(m.Render.id == waits).values(created_at=LONG_AGO))
        assert line.take(db, Room(1, 0)) == [waits]
        (age,) = [one for one in metrics.figures(db) if one.name.endswith("oldest_open_render_seconds")]
        assert age.samples[0].value < 60


def test_an_order_that_another_run_took_up_begins_its_own_run_too(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from avatarlab_web import starting

    begun_runs = []
    monkeypatch.setattr(starting, "begin", lambda _dag, run_id, *_: begun_runs.append(run_id))
    with transaction(stores.pg_dsn) as db:
        one = put(db, "anna")
        db.execute(sa.update(m.Render).where(m.Render.id == one).values(state="running"))
    order = {"render_id": one, "conf": {}, "caller": "anna"}
    starting._carry_out(stores, records.RUNS, f"render-{one}", order)
    assert begun_runs == [f"render-{one}"], (
        "without it the render would be taken for one whose run was deleted"
    )


def test_a_person_has_four_interactive_orders_open_and_further_ones_are_normal(
    stores: Settings, portrait: str
) -> None:
    asked = {"avatar": {"uri": portrait}, "script": "Hello."}
    found = []
    for number in range(line.INTERACTIVE_EACH + 1):
        request = AvatarRequest.parse(asked | {"idempotency_key": f"eager-{number}"})
        found.append(orders.place(stores, request, caller="eager", priority=NOW).render_id)
    assert [status.of(stores, one).priority for one in found] == ["interactive"] * 4 + ["normal"]
    pipeline.cancel(stores, found[0])

    def at_once(number: int) -> str:
        request = AvatarRequest.parse(asked | {"idempotency_key": f"hasty-{number}"})
        placed = orders.place(stores, request, caller="hasty", priority=NOW)
        return str(status.of(stores, placed.render_id).priority)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(at_once, range(8))) == ["interactive"] * 4 + ["normal"] * 4
    request = AvatarRequest.parse(asked | {"idempotency_key": "eager-again"})
    again = orders.place(stores, request, caller="eager", priority=NOW)
    assert status.of(stores, again.render_id).priority == "interactive"


@pytest.fixture
def api(stores: Settings) -> Iterator[Server]:
    with serving(stores) as server:
        yield server


def ask(api: Server, portrait: str, key: str, **more: Any) -> httpx.Response:
    answer: httpx.Response = api.order({"script": "Hello.", "avatar": {"uri": portrait}} | more, key)
    return answer


def test_an_order_that_waits_is_answered_with_when_it_begins(
    api: Server, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_RENDERS_AT_ONCE", "1")
    at_once = ask(api, portrait, "line-1").json()
    assert at_once["expected_start"] is None, "there is room"
    waits = ask(api, portrait, "line-2", priority="bulk").json()
    assert waits["priority"] == "bulk"
    start, ends = (datetime.fromisoformat(waits[name]) for name in ("expected_start", "expected_end"))
    assert records.now() < start < ends
    assert waits["request"].keys() == at_once["request"].keys(), "when is no part of what is asked"
    read = api.client.get(f"/renders/{waits['id']}").json()
    assert abs(datetime.fromisoformat(read["expected_start"]) - start) < timedelta(seconds=30)
    again = ask(api, portrait, "line-2", priority="normal")
    assert again.json()["id"] == waits["id"]


def test_beyond_the_operators_limit_an_order_is_429_with_the_time_and_another_caller_is_not(
    api: Server, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_RENDERS_AT_ONCE", "1")
    monkeypatch.setenv("AVATARLAB_ORDERS_WAITING", "6")
    with transaction(stores.pg_dsn) as db:
        put(db, "carla")
        line.take(db, Room(1, 0))
    codes = [ask(api, portrait, f"full-{number}").status_code for number in range(4)]
    assert codes == [202, 202, 202, 429], "half of the line is one caller's"
    refused = ask(api, portrait, "full-3")
    told = refused.json()
    assert (told["code"], told["retryable"]) == ("queue_full", True)
    wait_s = int(refused.headers["retry-after"])
    named = records.now() + timedelta(seconds=wait_s)
    assert f"{named:%Y-%m-%d %H:%M}" in told["detail"] or wait_s <= 60
    assert ask(api, portrait, "full-0").status_code == 202, "what was ordered is found again"
    api.name = "berta"
    assert ask(api, portrait, "full-3").status_code == 202
    with transaction(stores.pg_dsn) as db:
        put(db, "berta")
        with pytest.raises(QueueFull, match=r"^5 orders wait, 2 of them yours"):
            orders.check_room(db, "berta")


def test_an_unknown_class_is_refused_by_name(api: Server, portrait: str) -> None:
    refused = ask(api, portrait, "no-class", priority="urgent")
    assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")
    assert refused.json()["errors"][0]["field"] == "priority"
