"""Which bulk run's batch goes next: whose caller was served least, then which of that caller's runs.

Airflow takes tasks of equal weight by the age of their run, so whoever had begun sixteen runs first kept all
others out. Here the few tasks that go next are made a little heavier than the other bulk tasks, still lighter
than any of a single render. What was served is what this process saw at work: after a restart all begin anew.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as Task

from avatarlab_ops.places import BULK_DAG

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PLAIN = 1  # what a bulk task weighs (dags/avatar_regenerate.py); a single render's weighs 10 and more
SERVED = 2  # what gave its place back after it had been preferred (patience.py)
# Of those that go next, in their order; the last go by the age of their runs, but as many of each caller.
NEXT = (8, 7, 6, 5, 4, *(3,) * 11)
KEPT = 360  # looks, an hour of them, after which whoever was at work last is forgotten
AT_WORK = ("queued", "running", "restarting")
OPEN = (*AT_WORK, "scheduled", "deferred", "up_for_retry")


@dataclass(frozen=True)
class Batch:
    """A task of a bulk run, and whose it is."""

    task: str
    run: str
    caller: str


@dataclass
class Turns:
    """Who was seen at work last, by look; `clock` counts the looks."""

    clock: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    last: dict[str, int] = field(default_factory=dict)

    def order(self, at_work: Iterable[Batch], waiting: Iterable[Batch]) -> list[Batch]:
        """Of those that wait the next of each turn, at most as many as NEXT has weights.

        Each goes to the caller with the fewest at work, of equals whom none was seen of for the longest time;
        within a caller to the run likewise. `waiting` is in the order of the runs' age, then their own.
        """
        busy, now, chosen = Counter[str](), next(self.clock), list[Batch]()
        self.last = {name: look for name, look in self.last.items() if now - look < KEPT}
        for one in at_work:
            for name in (f"caller {one.caller}", f"run {one.run}"):
                busy[name] += 1
                self.last[name] = now
        left: dict[str, list[Batch]] = {}
        for one in waiting:
            left.setdefault(one.run, []).append(one)
        while left and len(chosen) < len(NEXT):
            best = min(
                (of_run[0] for of_run in left.values()),
                key=lambda one: (*self._had(busy, "caller", one.caller), *self._had(busy, "run", one.run)),
            )
            chosen.append(left[best.run].pop(0))
            if not left[best.run]:
                del left[best.run]
            busy.update((f"caller {best.caller}", f"run {best.run}"))
        return chosen

    def _had(self, busy: Counter[str], kind: str, name: str) -> tuple[int, int]:
        key = f"{kind} {name}"
        return busy[key], self.last.get(key, 0)


def share(session: Session, turns: dict[str, Turns]) -> None:
    """Weigh the bulk tasks that go next in each pool of `turns`, whose memory it keeps."""
    for pool, memory in turns.items():
        at_work = _batches(session, pool, AT_WORK)
        waiting = _batches(session, pool, ("scheduled",), (PLAIN, SERVED, *NEXT))
        chosen = memory.order(at_work, waiting)
        weights = dict(zip((one.task for one in chosen), NEXT, strict=False))
        mine = sa.and_(Task.dag_id == BULK_DAG, Task.pool == pool)
        # Also of those whose turn has come: they will queue as all do.
        passed = sa.and_(mine, Task.state.in_(OPEN), Task.priority_weight.in_(NEXT), Task.id.not_in(weights))
        session.execute(sa.update(Task).where(passed).values(priority_weight=PLAIN))
        for task, weight in weights.items():
            other = sa.and_(Task.id == task, Task.state == "scheduled", Task.priority_weight != weight)
            session.execute(sa.update(Task).where(other).values(priority_weight=weight))


def _batches(
    session: Session, pool: str, states: tuple[str, ...], weights: tuple[int, ...] | None = None
) -> list[Batch]:
    """Tasks of bulk runs in these states, of those that wait a few of each run; the oldest runs first."""
    asked = sa.and_(Task.dag_id == BULK_DAG, Task.pool == pool, Task.state.in_(states))
    age = (Task.scheduled_dttm, Task.map_index)
    place = sa.func.row_number().over(partition_by=Task.run_id, order_by=age).label("place")
    tasks = sa.select(Task.id, Task.run_id, place).where(asked)
    if weights is not None:
        tasks = tasks.where(Task.priority_weight.in_(weights))
    found = tasks.subquery()
    few = sa.true() if weights is None else found.c.place <= len(NEXT)
    run = sa.and_(DagRun.dag_id == BULK_DAG, DagRun.run_id == found.c.run_id)
    caller = sa.func.coalesce(DagRun.triggering_user_name, DagRun.run_type)
    rows = sa.select(found.c.id, found.c.run_id, caller).join(DagRun, run).where(few)
    rows = rows.order_by(DagRun.id, found.c.place)
    return [Batch(str(task), run_id, who) for task, run_id, who in session.execute(rows)]
