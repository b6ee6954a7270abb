"""`make bench-catalog`: what users ask of the records, as the catalog grows from 1e3 to 1e6 published videos.

The floor beside every figure is a round trip (SELECT 1) and the look-up of one row by its primary key, in the
same run. Every time is that of the product's own function, Python and JSON included, unless it says plan.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops import pipeline
from avatarlab_ops.bulk import selection
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.embedded import servers
from avatarlab_ops.lineage import query
from avatarlab_ops.renders import budget, status
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import ancestry as queries
from avatarlab_ops.stores.catalog import engine, records, transaction, upkeep
from avatarlab_ops.stores.catalog import tables as m
from benchmarks import catalog_rows, catalog_writes

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ASKED = 200  # random videos
WRITTEN = 20  # renders
PAGE = 500
PATIENCE_S = 60  # after which a statement is given up
PLANS = Path("out/bench-catalog-plans.txt")
Figures = dict[str, str]


def _times(ask: Callable[[Any], object], given: list[Any]) -> list[float]:
    """Milliseconds of each question."""
    found = []
    for one in given:
        started = time.perf_counter()
        ask(one)
        found.append(1000 * (time.perf_counter() - started))
    return found


def _middle(times: list[float]) -> str:
    ordered = sorted(times)
    return f"{statistics.median(ordered):.1f} / {ordered[int(0.95 * (len(ordered) - 1))]:.1f}"


@contextmanager
def _asking(settings: Settings) -> Iterator[Session]:
    """A transaction that changes nothing, and gives a statement up after a minute."""
    with Session(engine(settings.pg_dsn)) as db:
        db.execute(sa.text(f"SET LOCAL statement_timeout = '{PATIENCE_S}s'"))
        yield db
        db.rollback()


def _ids(settings: Settings, number: int) -> list[str]:
    """Random published videos of the generated ones."""
    with transaction(settings.pg_dsn) as db:
        found = db.scalars(sa.select(m.Render.id).where(m.Render.withdrawn_at.is_(None))).all()
    return random.Random(1).sample(found, number)


def floor(settings: Settings, ids: list[str]) -> Figures:
    """A round trip, and one row by its key, over the product's own connections."""
    with transaction(settings.pg_dsn) as db:
        trip = _times(lambda _: db.execute(sa.text("SELECT 1")), ids)
        key = _times(lambda one: db.execute(sa.select(m.Render.state).where(m.Render.id == one)).one(), ids)
    return {"SELECT 1": _middle(trip), "one row by its key": _middle(key)}


def ancestry(settings: Settings, ids: list[str]) -> Figures:
    """Lineage of random videos, and `status` of them."""
    return {
        "lineage of a video": _middle(_times(lambda one: query.trace(settings, one), ids)),
        "status of a render": _middle(_times(lambda one: status.of(settings, one), ids)),
    }


def _changes(settings: Settings, video: str) -> dict[str, tuple[str, str]]:
    """Name to (kind, value) of changes that touch many or few videos."""
    traced = query.trace(settings, video)
    speech = next(one for one in traced["artifacts"].values() if one["stage"] == "speech")
    lips = next(one for one in traced["artifacts"].values() if one["stage"] == "lipsync")
    avatar = traced["inputs"]["avatar"]
    return {
        "input, hot (an avatar's address)": ("input", "s3://inputs/avatars/0.png"),
        "input, an avatar's digest": ("input", avatar["sha256"]),
        "input, rare (one speech)": ("input", speech["sha256"]),
        "input, one video's own": ("input", lips["sha256"]),
        "engine, hot": ("engine", "viseme_warp"),
        "engine, rare": ("engine", "rare@1"),
        "weights, hot": ("weights", "rvm_mobilenetv3_fp32.onnx"),
        "weights, rare": ("weights", "rare.onnx"),
        "code, hot": ("code", "code-0"),
        "code, rare": ("code", "code-rare"),
    }


def touched(settings: Settings, video: str) -> Figures:
    """First page of the videos that each change touches."""
    found = {}
    for name, (kind, value) in _changes(settings, video).items():
        times = _times(lambda _: query.impact(settings, *_), [(kind, value)] * 20)
        found[f"impact: {name}"] = _middle(times)
    return found


def writing(settings: Settings, size: int) -> Figures:
    """The catalog's part of a whole render, from submission to delivery; then the same request again."""
    catalog_writes.render(settings, f"warm-{size}")
    costs, statements = [], []
    for number in range(WRITTEN):
        with catalog_writes.counted(settings) as clock:
            catalog_writes.render(settings, f"{size}-{number}")
        costs.append(1000 * clock.seconds)
        statements.append(clock.statements)
    again = _times(lambda key: _again(settings, key), [f"{size}-{number}" for number in range(WRITTEN)])
    return {
        f"write path of a render ({statistics.median(statements):.0f} statements)": _middle(costs),
        "the same request again": _middle(again),
    }


def _again(settings: Settings, key: str) -> None:
    """What a repeated submission asks: is there a render of this caller and key?"""
    with _asking(settings) as db:
        mine = sa.select(m.Request.body).where(m.Request.idempotency_key == key, m.Request.caller == "cli")
        records.accept(db, AvatarRequest.parse(db.scalars(mine).one()), run_id=None, caller="cli")


def _choose(db: Session, settings: Settings, asked: dict[str, Any]) -> None:
    list(islice(selection.choose(db, settings, BulkRequest.parse(asked)), PAGE))


def choosing(settings: Settings) -> Figures:
    """The first page that a bulk run selects, of many and of few."""
    at = records.now()
    wanted: dict[str, dict[str, Any]] = {
        "a label": {"labels": {"campaign": "c7"}},
        "a label nobody has": {"labels": {"campaign": "none"}},
        "language": {"language": "en-US"},
        "an avatar, hot": {"avatar": "s3://inputs/avatars/0.png"},
        "an avatar, rare": {"avatar": "s3://inputs/avatars/199.png"},
        "a day": {"published_from": at - timedelta(days=1)},
        "stale engines": {"stale": ["engine"]},
        "stale weights": {"stale": ["weights"]},
        "stale code": {"stale": ["code"]},
    }
    found = {}
    for name, asked in wanted.items():
        found[f"selection: {name}"] = _once(settings, lambda db, a=asked: _choose(db, settings, a))
    return found


def _once(settings: Settings, ask: Callable[[Session], object]) -> str:
    """Milliseconds of the faster of two, for what takes long."""
    taken = []
    for _ in range(2):
        try:
            with _asking(settings) as db:
                taken += _times(ask, [db])
        except sa.exc.OperationalError:
            return f"> {PATIENCE_S * 1000}"
    return f"{min(taken):.1f}"


def keeping(settings: Settings, ids: list[str]) -> Figures:
    """Housekeeping: a page of its comparison with the store, and what it asks of whole tables."""
    at = records.now()
    long_ago, lately = at - timedelta(days=30), at - timedelta(hours=1)
    page = ids * (PAGE // len(ids)) + ids[: PAGE % len(ids)]
    with transaction(settings.pg_dsn) as db:
        prints = list(db.scalars(sa.select(m.Artifact.fingerprint).limit(PAGE)))
    asked: dict[str, Callable[[Session], object]] = {
        f"{PAGE} artifacts": lambda db: upkeep.artifacts(db, prints),
        f"{PAGE} renders and their files": lambda db: (upkeep.renders(db, page), upkeep.files_of(db, page)),
        "idle renders": lambda db: upkeep.idle_renders(db, lately),
        "labels of retention": upkeep.labelled,
        "stages left running": lambda db: upkeep.counted(db, m.StageRun, upkeep.left_stages(lately)),
        "old progress": lambda db: upkeep.counted(db, m.Progress, upkeep.stale_progress(lately)),
        "waiting messages": lambda db: upkeep.counted(db, m.Outbox, m.Outbox.delivered_at.is_(None)),
        "spare artifacts": lambda db: upkeep.spare_artifacts(db, long_ago),
        "every artifact's name": lambda db: upkeep.claimed_artifacts(db, lately),
        "every published id": lambda db: upkeep.published_ids(db, lately),
        "bytes of all artifacts": upkeep.stored_bytes,
    }
    return {f"housekeeping: {name}": _once(settings, ask) for name, ask in asked.items()}


def spending(settings: Settings) -> Figures:
    """The budget's question at admission, overall and of one caller."""
    os.environ[budget.OVERALL] = os.environ[budget.BY_CALLER.replace("_BY_CALLER", "")] = "1e9"
    os.environ[budget.BY_CALLER] = "*=1e9"
    try:
        return {"budget check": _once(settings, lambda db: budget.check(db, "caller-1", 1.0))}
    finally:
        del os.environ[budget.OVERALL], os.environ[budget.BY_CALLER]


def explain(settings: Settings, size: int, video: str) -> None:
    """Keep the plans of the queries of lineage and impact."""
    asked = [("lineage", queries.LINEAGE, {"render_id": video, "apart": ["timeline"]})]
    with transaction(settings.pg_dsn) as db:
        for name, (kind, value) in _changes(settings, video).items():
            source, keys = query._keys(db, kind, value)
            values = {"kind": source, "keys": keys, "after": "", "size": query.PAGE + 1}
            asked.append((f"impact: {name}", queries.IMPACT, values))
        with PLANS.open("a") as file:
            for name, statement, values in asked:
                rows = db.scalars(sa.text(f"EXPLAIN (ANALYZE, BUFFERS) {statement}"), values)
                print(f"\n== {name}, {size:,} videos ==", *rows, sep="\n", file=file)


def measure(settings: Settings, size: int) -> Figures:
    """Every figure at one size."""
    ids = _ids(settings, min(ASKED, size))
    found = floor(settings, ids) | ancestry(settings, ids) | touched(settings, ids[0])
    found |= writing(settings, size) | choosing(settings) | spending(settings) | keeping(settings, ids)
    with transaction(settings.pg_dsn) as db:
        found["catalog, MB"] = (
            f"{db.scalar(sa.text('SELECT pg_database_size(current_database())')) / 1e6:.0f}"
        )
    explain(settings, size, ids[0])
    return found


def main() -> None:
    """Grow a catalog of its own, measure at every size, print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=SIZES[-1], help="stop at this size")
    parser.add_argument("--home", type=Path, help="keep the servers' data here")
    given = parser.parse_args()
    sizes = [size for size in SIZES if size <= given.videos]
    with tempfile.TemporaryDirectory() as folder:
        home = given.home or Path(folder) / ".avatarlab"
        settings = servers.ensure(home)
        try:
            print(platform.platform(), f"{os.cpu_count()} cores; median / 95th percentile, ms", flush=True)
            tables = list(_grown(settings, sizes))
        finally:
            servers.stop(home)
    print(f"\n{'':<46}" + "".join(f"{size:>18,}" for size in sizes))
    for name in tables[0]:
        print(f"{name:<46}" + "".join(f"{table.get(name, ''):>18}" for table in tables))


def _grown(settings: Settings, sizes: list[int]) -> Iterator[Figures]:
    PLANS.parent.mkdir(exist_ok=True)
    PLANS.unlink(missing_ok=True)
    pipeline.prepare_stores(settings)
    model, before = catalog_writes.render(settings, "model"), 0
    for size in sizes:
        started = time.monotonic()
        catalog_rows.grow(settings, model, before, size)
        print(f"\n{size:,} videos, generated in {time.monotonic() - started:.0f} s", flush=True)
        figures = measure(settings, size)
        print("\n".join(f"  {name:<46}{value:>18}" for name, value in figures.items()), flush=True)
        before = size
        yield figures


if __name__ == "__main__":
    main()
