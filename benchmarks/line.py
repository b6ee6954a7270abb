"""Ten thousand orders of one caller in the real catalog: what admission takes, and who begins next.

`python -m benchmarks.line`, a few minutes; nothing is rendered. The last thousand are placed one by one
behind copies of one. Each is what `POST /renders` does but for HTTP and the login: looked up by its key,
estimated, placed, offered a place, and told with its expected start. Then a person's order and another
caller's come last of all, and the whole line is let begin, a dozen at work at a time, by the outbox that
api-servers deliver.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from avatarlab_ops import pipeline
from avatarlab_ops.embedded import servers
from avatarlab_ops.renders import orders, status
from avatarlab_ops.renders.estimate import estimate
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Priority
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import line, records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.objects import objects

PORTRAIT = Path(__file__).parents[1] / "demo" / "astronaut.png"
ROOM = line.Room(renders=12, kept=3)
ASKED = 100


def request(settings: Settings, key: str) -> AvatarRequest:
    """A script of its own over one portrait."""
    avatar = {"uri": f"s3://{settings.bucket_inputs}/bench/astronaut.png"}
    return AvatarRequest.parse({"script": f"Hello, {key}.", "avatar": avatar, "idempotency_key": key})


def order(settings: Settings, key: str, caller: str, priority: Priority) -> status.RenderStatus:
    """What `POST /renders` does and answers."""
    asked = request(settings, key)
    known = orders.placed(settings, asked, caller=caller)
    foreseen = None if known else estimate(settings, asked, caller=caller, looking=False)
    placed = known or orders.place(settings, asked, caller=caller, priority=priority, foreseen=foreseen)
    orders.let_begin(settings, ROOM)
    return status.of(settings, placed.render_id)


def timed(call: Any, given: list[Any]) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for one in given:
        begun = time.perf_counter()
        call(one)
        found.append(1000 * (time.perf_counter() - begun))
    return found


def told(name: str, times: list[float]) -> None:
    """A line of figures: median, 95th percentile, worst."""
    late = sorted(times)[int(0.95 * (len(times) - 1))]
    print(f"{name:<52}{statistics.median(times):7.1f} {late:7.1f} {max(times):7.1f} ms", flush=True)


def filled(settings: Settings, count: int) -> None:
    """So many orders in line: copies of one that was placed."""
    model = orders.place(settings, request(settings, "model"), caller="anna")
    copied = {
        "request": "m.id || n, sha256, body, caller, idempotency_key || n, run_id || n, created_at",
        "render": "m.id || n, request_id || n, run_id || n, state, code_version, created_at",
        "render_tag": "kind, value, created_at, render_id || n",
        "render_order": "render_id || n, caller, priority, work_s, gpu_s, placed_at + n * interval '1 us'",
        "outbox": "topic, key || n, payload, render_id || n, next_at, created_at",
    }
    of_it = {"request": "id = :request", "render": "id = :render"}
    with transaction(settings.pg_dsn) as db:
        known = {"render": model.render_id, "request": records.find(db, model.render_id).request_id}
        for table, columns in copied.items():
            names = ", ".join(part.split(" ")[0].removeprefix("m.") for part in columns.split(", "))
            mine = of_it.get(table, "render_id = :render") + (
                " AND topic = 'runs'" if table == "outbox" else ""
            )
            copy = (
                f"INSERT INTO {table} ({names}) SELECT {columns} FROM {table} m, generate_series(1, :count) n"  # noqa: S608 (no input)
            )
            db.execute(sa.text(f"{copy} WHERE {mine}"), known | {"count": count - 1})
            db.execute(sa.text(f"ANALYZE {table}"))  # as PostgreSQL does by itself where a table grows slowly


def admission(settings: Settings, count: int, of: str) -> dict[str, str]:
    """Order so many more, one after the other; key, which begins with `of`, to render."""
    made: dict[str, str] = {}

    def whole(key: str) -> None:
        made[key] = order(settings, key, "anna", Priority.NORMAL).render_id

    before = time.process_time()
    times = timed(whole, [f"{of}-{number}" for number in range(count)])
    spent = time.process_time() - before
    told(f"admission, {count:,} orders more", times)
    print(f"of each {1000 * spent / count:.1f} ms processor time of this process", flush=True)
    again = {key: order(settings, key, "anna", Priority.NORMAL).render_id for key in list(made)[::10]}
    assert all(made[key] == render for key, render in again.items()), "a key gave another render"
    assert len(set(made.values())) == count, "an order is lost"
    return made


def looks(settings: Settings, made: dict[str, str]) -> None:
    """What is asked of a long line."""
    some = list(made.values())[:: max(1, len(made) // ASKED)]
    told("status of an order in line", timed(lambda one: status.of(settings, one), some))
    with transaction(settings.pg_dsn) as db:
        told("the first 50 of the line", timed(lambda _: line.first(db, 50), some[:20]))
    told("a look for free places", timed(lambda _: orders.let_begin(settings, ROOM), some[:20]))


def latecomers(settings: Settings) -> None:
    """A person's order and another caller's, ordered last, with every place taken."""
    person = order(settings, "a-person", "anna", Priority.INTERACTIVE)
    assert person.expected_start is None, "it waits"
    print("an interactive order of the same caller, ordered last: begun by its own admission")
    other = order(settings, "another", "berta", Priority.NORMAL)
    with transaction(settings.pg_dsn) as db:
        (place,) = [one for one in line.first(db, 50) if one.render_id == other.render_id]
        print(f"another caller's order, ordered last: number {place.number} in line, begins about "
              f"{(place.expected_start or records.now()) - records.now()} from now")  # fmt: skip
        turns = 0
        while (
            db.scalar(sa.select(m.RenderOrder.begun_at).where(m.RenderOrder.render_id == other.render_id))
            is None
        ):
            _end(db, 1)
            line.take(db, ROOM)
            turns += 1
        db.rollback()
    print(f"it begins with turn {turns} from then")


def _end(db: Any, count: int) -> None:
    """The oldest of those at work are done."""
    at_work = sa.select(m.Render.id).join(m.RenderOrder, m.RenderOrder.render_id == m.Render.id)
    oldest = at_work.where(m.Render.state == "accepted", m.RenderOrder.turn.is_not(None))
    ids = list(db.scalars(oldest.order_by(m.RenderOrder.turn).limit(count)))
    db.execute(
        sa.update(m.Render).where(m.Render.id.in_(ids)).values(state="published", ended_at=records.now())
    )


def drained(settings: Settings, count: int) -> None:
    """Let everything begin; what the outbox sends is counted, as Airflow would get it."""
    sent: Counter[str] = Counter()
    receiver = outbox.Receiver((records.RUNS,), lambda _s, _t, run_id, _o: sent.update([run_id]))
    begun, most = time.perf_counter(), 0
    while sum(sent.values()) < count:
        orders.let_begin(settings, ROOM)
        outbox.deliver_to(settings, receiver)
        with transaction(settings.pg_dsn) as db:
            open_ones = sa.select(sa.func.count()).select_from(m.Render).where(m.Render.state == "accepted")
            most = max(most, db.scalar(open_ones.where(~line.waits())) or 0)
            _end(db, ROOM.renders)
    took_s = time.perf_counter() - begun
    assert set(sent.values()) == {1}, "a run was begun twice"
    each = 1000 * took_s / len(sent)
    print(f"{len(sent):,} runs begun, each once, at most {most} at work; {each:.1f} ms each")


@contextmanager
def _stores() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".avatarlab"
        try:
            settings = servers.ensure(home)
            pipeline.prepare_stores(settings)
            objects(settings).put_if_absent(settings.bucket_inputs, "bench/astronaut.png", PORTRAIT)
            estimate(settings, request(settings, "looked-at"), caller="anna")
            yield settings
        finally:
            servers.stop(home)


def main() -> None:
    """Print the figures as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000, help="so many")
    parser.add_argument(
        "--placed", type=int, default=1_000, help="of these, placed one by one; the rest copied"
    )
    asked = parser.parse_args()
    load = "/".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        platform.platform(),
        f"{os.cpu_count()} cores, load {load}; median, 95th percentile, worst",
        flush=True,
    )
    with _stores() as settings:
        with transaction(settings.pg_dsn) as db:
            told("SELECT 1", timed(lambda _: db.scalar(sa.text("SELECT 1")), [None] * ASKED))
        admission(settings, 50, "first")  # what the first ones load is no part of the figures
        filled(settings, asked.orders - asked.placed)
        made = admission(settings, asked.placed - 50, "last")
        looks(settings, made)
        latecomers(settings)
        drained(settings, asked.orders + 2)
        print("load at the end", "/".join(f"{one:.1f}" for one in os.getloadavg()))


if __name__ == "__main__":
    main()
