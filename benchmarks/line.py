"""Ten thousand orders of one caller in the real catalog: what admission takes, and who begins next.

`python -m benchmarks.line`, a few minutes; nothing is rendered. Each order is what `POST /renders` does but
for HTTP and the login: looked up by its key, estimated, placed, offered a place, and told with its expected
start. Then a person's order and another caller's come last of all, and the whole line is let begin, a dozen
at work at a time, by the outbox that the api-servers deliver.
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


def admission(settings: Settings, count: int) -> dict[str, str]:
    """Order so many, one after the other; key to render."""
    made: dict[str, str] = {}

    def one(key: str) -> None:
        made[key] = order(settings, key, "anna", Priority.NORMAL).render_id

    every: list[float] = []
    keys, part = [f"order-{number}" for number in range(count)], max(1, count // 10)
    for first in range(0, count, part):
        times = timed(one, keys[first : first + part])
        every += times
        told(f"admission, up to {len(every):,} orders", times)
    told("admission, all of them", every)
    again = {key: order(settings, key, "anna", Priority.NORMAL).render_id for key in list(made)[::ASKED]}
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
    count = parser.parse_args().orders
    load = "/".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        platform.platform(),
        f"{os.cpu_count()} cores, load {load}; median, 95th percentile, worst",
        flush=True,
    )
    with _stores() as settings:
        made = admission(settings, count)
        looks(settings, made)
        latecomers(settings)
        drained(settings, count + 2)


if __name__ == "__main__":
    main()
