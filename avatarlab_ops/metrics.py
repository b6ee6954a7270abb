"""What Prometheus may ask: read off the catalog, the stores, this machine's lease and disk at each scrape."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from avatarlab_ops.bulk import forecast
from avatarlab_ops.engines import device
from avatarlab_ops.errors import InputError
from avatarlab_ops.renders import lateness
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import OPEN, ItemState, Priority, RenderState, StageState
from avatarlab_ops.stores import catalog, documents, objects
from avatarlab_ops.stores.catalog import deadlines, line, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog.records import now
from avatarlab_ops.trust import signing

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric
    from sqlalchemy.orm import Session

RECENT = timedelta(minutes=5)  # what "recent" means; scrape more often than that
PATIENCE_S = 2  # with a store that does not answer
# Store -> whether it answers within so many seconds.
ANSWERS: dict[str, Callable[[Settings, int], bool]] = {
    "postgres": lambda settings, patience_s: catalog.answers(settings.pg_dsn, patience_s),
    "mongo": documents.answers,
    "s3": objects.answers,
}


class Collector:
    """All figures as they are when `collect` is called; of the catalog only while PostgreSQL answers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def describe(self) -> list[Metric]:
        """Nothing: registering asks no store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every figure; prometheus_client calls this for each scrape."""
        up = _answering(self.settings)
        yield _gauge(
            "store_up", "Whether a store answers", "store", {(name,): found for name, found in up.items()}
        )
        yield from self._machine()
        if up["postgres"]:
            with transaction(self.settings.pg_dsn) as db:
                yield from figures(db)

    def _machine(self) -> Iterator[Metric]:
        home = self.settings.home.absolute()
        place = next(folder for folder in (home, *home.parents) if folder.exists())
        free = shutil.disk_usage(place).free
        yield _gauge("disk_free_bytes", "Free on the disk of this machine's state folder", "", {(): free})
        yield _gauge(
            "signing_certificate_seconds", "Until the signing certificate ends; refused from then on", "",
            _signing(self.settings.home),
        )  # fmt: skip
        held = list(device.holders(self.settings.home / device.FOLDER))
        known = device.devices(cuda=True)
        yield _gauge(
            "device_slots", "Slots of a device of this machine", "device",
            {(one.name,): one.slots for one in known},
        )  # fmt: skip
        yield _gauge(
            "device_slots_held", "Slots that tasks hold now", "device",
            {(one.name,): sum(slot.rpartition(".")[0] == one.name for slot in held) for one in known},
        )  # fmt: skip


def _signing(home: Path) -> dict[tuple[str, ...], float]:
    try:
        ends = signing.expires(home)
    except InputError:  # not on this machine, or no certificate: `avatarlab doctor` says which
        return {}
    return {(): (ends - now()).total_seconds()} if ends else {}


def _answering(settings: Settings) -> dict[str, bool]:
    """Store to whether it answers; all are asked at once."""
    with ThreadPoolExecutor(len(ANSWERS)) as pool:
        asked = {name: pool.submit(look, settings, PATIENCE_S) for name, look in ANSWERS.items()}
        return {name: found.result() for name, found in asked.items()}


def figures(db: Session) -> Iterator[Metric]:
    """What the catalog says."""
    yield from _renders(db)
    yield from _stages(db)
    yield from _outbox(db)


def _renders(db: Session) -> Iterator[Metric]:
    counted = db.execute(sa.select(m.Render.state, sa.func.count()).group_by(m.Render.state))
    states = dict.fromkeys(RenderState, 0) | {RenderState(state): count for state, count in counted}
    yield _gauge(
        "renders", "Renders by state", "state", {(state.value,): count for state, count in states.items()}
    )
    yield _gauge(
        "oldest_open_render_seconds",
        "How long the oldest render is at work, without its time in line or between the tasks of a bulk run",
        "",
        _age(_oldest_at_work(db)),
    )
    yield from _approvals(db)
    yield from _line(db)
    waiting = sa.select(sa.func.count()).select_from(m.BulkItem).join(m.BulkRun)
    left = waiting.where(m.BulkRun.ended_at.is_(None), m.BulkItem.state == ItemState.WAITING)
    yield _gauge(
        "bulk_items_waiting", "Items of bulk runs that have not ended", "", {(): db.scalar(left) or 0}
    )
    overdue, ahead = deadlines.told(db, lateness.MOST)
    behind = overdue + len(lateness.late(db, ahead))
    yield _gauge("renders_late", "Open renders that are expected beyond their deadline", "", {(): behind})
    told = sa.select(m.BulkRun).where(m.BulkRun.ended_at.is_(None), m.BulkRun.late_told_at.is_not(None))
    late = sum(forecast.runs_late(db, known) for known in db.scalars(told).all())
    yield _gauge(
        "bulk_runs_late", "Bulk runs at work that are expected beyond their deadline", "", {(): late}
    )


def _oldest_at_work(db: Session) -> datetime | None:
    """Since when the oldest render is at work; of a bulk run's, since when the stage is that runs now.

    A bulk run prepares all of its videos long before it comes to the last: those wait, and none is stuck.
    """
    by_us = m.Render.state.in_(OPEN) & ~m.Render.awaits_approval & ~line.waits()
    of_bulk = sa.exists().where(m.BulkItem.render_id == m.Render.id)
    since = sa.func.min(sa.func.coalesce(m.RenderOrder.begun_at, m.Render.created_at))
    single = sa.select(since).select_from(m.Render).outerjoin(m.RenderOrder).where(by_us, ~of_bulk)
    running = sa.and_(sa.text(m.AT_WORK), m.StageRun.state == StageState.RUNNING)
    stage = sa.select(sa.func.min(m.StageRun.started_at)).where(
        running, sa.exists().where(m.Render.id == m.StageRun.render_id, m.Render.state.in_(OPEN), of_bulk)
    )
    return min((at for at in (db.scalar(single), db.scalar(stage)) if at is not None), default=None)


def _line(db: Session) -> Iterator[Metric]:
    waiting = sa.select(m.RenderOrder.priority, sa.func.count(), sa.func.min(m.RenderOrder.placed_at))
    rows = db.execute(waiting.where(m.RenderOrder.begun_at.is_(None)).group_by(m.RenderOrder.priority)).all()
    counts = {priority.name.lower(): 0 for priority in Priority}
    counts |= {Priority(priority).name.lower(): count for priority, count, _ in rows}
    yield _gauge(
        "orders_waiting", "Ordered renders in line", "priority",
        {(name,): count for name, count in counts.items()},
    )  # fmt: skip
    oldest = min((since for *_, since in rows), default=None)
    yield _gauge("oldest_order_seconds", "How long the oldest of them has waited", "", _age(oldest))


def _approvals(db: Session) -> Iterator[Metric]:
    found = sa.select(sa.func.count(), sa.func.min(m.Render.approval_asked_at))
    count, oldest = db.execute(found.where(m.Render.awaits_approval)).one()
    yield _gauge("renders_awaiting_approval", "Renders that wait for a person", "", {(): count})
    yield _gauge("oldest_approval_seconds", "How long the longest of them has waited", "", _age(oldest))


def _stages(db: Session) -> Iterator[Metric]:
    key = (m.StageRun.stage, m.StageRun.state)
    counted = db.execute(sa.select(*key, sa.func.count()).where(sa.text(m.AT_WORK)).group_by(*key))
    yield _gauge(
        "stages_open", "Stages at work, behind equal work or before a person", "stage state",
        {(stage, state): count for stage, state, count in counted},
    )  # fmt: skip
    ended = m.StageRun.ended_at > now() - RECENT
    seconds_of, joules_of = sa.func.sum(m.StageRun.compute_s), sa.func.sum(m.StageRun.energy_j)
    recent = sa.select(*key, sa.func.count(), seconds_of, joules_of).where(ended).group_by(*key)
    rows = db.execute(recent).all()
    yield _gauge(
        "recent_stages", "Stages that ended in the last five minutes", "stage state",
        {(stage, state): count for stage, state, count, _, _ in rows},
    )  # fmt: skip
    yield _gauge(
        "recent_stage_seconds", "Seconds of work of those that were done", "stage",
        {(stage,): seconds for stage, state, _, seconds, _ in rows if state == StageState.DONE},
    )  # fmt: skip
    yield _gauge(
        "recent_stage_joules", "Energy that they took, by their share of devices that tell", "stage",
        {(stage,): joules for stage, _, _, _, joules in rows if joules is not None},
    )  # fmt: skip


def _outbox(db: Session) -> Iterator[Metric]:
    waiting = sa.and_(m.Outbox.delivered_at.is_(None), m.Outbox.dead_at.is_(None), m.Outbox.next_at < m.HELD)
    found = sa.select(sa.func.count(), sa.func.min(m.Outbox.created_at)).where(waiting)
    count, oldest = db.execute(found).one()
    dead = sa.select(sa.func.count()).select_from(m.Outbox).where(m.Outbox.dead_at.is_not(None))
    yield _gauge(
        "outbox_messages", "Messages that have not arrived", "state",
        {("waiting",): count, ("dead",): db.scalar(dead) or 0},
    )  # fmt: skip
    yield _gauge("outbox_oldest_seconds", "Age of the oldest message that waits", "", _age(oldest))


def _age(since: datetime | None) -> dict[tuple[str, ...], float]:
    return {(): (now() - since).total_seconds() if since else 0.0}


def _gauge(name: str, text: str, labels: str, values: Mapping[tuple[str, ...], float]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"avatarlab_{name}", text, labels=labels.split())
    for key, value in values.items():
        family.add_metric(list(key), float(value))
    return family


def text(settings: Settings) -> bytes:
    """All figures in Prometheus's text format."""
    from prometheus_client import generate_latest

    return generate_latest(_registry(settings))


def serve(settings: Settings, host: str, port: int) -> None:
    """Answer scrapes at http://host:port/metrics until the process ends."""
    from prometheus_client import start_http_server

    _, thread = start_http_server(port, host, _registry(settings))
    thread.join()


def _registry(settings: Settings) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(Collector(settings))
    return registry
