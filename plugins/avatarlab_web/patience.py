"""Lets a bulk run's task that has waited long go before single renders, now and then; see turns.py, too.

Bulk tasks weigh less than those of single renders, so while these never run out they would wait for ever. In
each pool the task that has waited longest, for PATIENCE at least, is made heavier than all but what somebody
sits and waits for; the next one no sooner than PATIENCE after its end, or after it gave its place back. A
batch is about half a minute of a device, so bulk runs get about a fifth of one place.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from airflow.models.taskinstance import TaskInstance as Task
from airflow.utils.session import create_session

from avatarlab_ops.places import BULK_DAG, POOLS
from avatarlab_web.turns import PLAIN, SERVED, Turns, share
from avatarlab_web.watching import again

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

LOOK_S = 10.0
PATIENCE = timedelta(minutes=2)
PATIENT = 500  # heavier than every task of a render that is not interactive (avatarlab_weights.py)
ENDED = ("success", "failed", "upstream_failed", "skipped", "removed")
AT_IT = ("scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule")


async def watch() -> None:
    """Look again and again, until cancelled."""
    memory: dict[str, Turns] = {pool: Turns() for pool in POOLS}

    def look() -> None:
        with create_session(scoped=False) as session:
            share(session, memory)
            prefer(session)

    await again(lambda: asyncio.to_thread(look), LOOK_S, "bulk tasks that wait")


def prefer(session: Session) -> list[str]:
    """Make the longest waiting bulk task of each pool heavier, where its turn has come; return their ids."""
    long_ago, preferred = datetime.now(UTC) - PATIENCE, []
    had_its_turn = sa.and_(Task.dag_id == BULK_DAG, Task.priority_weight == PATIENT, Task.state == "deferred")
    session.execute(sa.update(Task).where(had_its_turn).values(priority_weight=SERVED))
    # What ended long ago weighs as all do again: so looks read few old tasks (index by pool, state, weight).
    marked = sa.and_(Task.pool.in_(POOLS), Task.state.in_(ENDED), Task.priority_weight.in_((PATIENT, SERVED)))
    forgotten = sa.and_(marked, Task.dag_id == BULK_DAG, Task.end_date <= long_ago)
    session.execute(sa.update(Task).where(forgotten).values(priority_weight=PLAIN))
    for pool in POOLS:
        mine = sa.and_(Task.dag_id == BULK_DAG, Task.pool == pool)
        at_it = sa.and_(Task.priority_weight == PATIENT, Task.state.in_(AT_IT))
        lately = sa.or_(
            sa.and_(Task.state == "deferred", Task.updated_at > long_ago),  # between its turns
            sa.and_(Task.state.in_(ENDED), Task.end_date > long_ago),
        )
        served = sa.and_(Task.priority_weight.in_((PATIENT, SERVED)), lately)
        if session.scalar(sa.select(Task.id).where(mine, sa.or_(at_it, served)).limit(1)):
            continue
        waits = sa.and_(mine, Task.state == "scheduled", Task.scheduled_dttm < long_ago)
        oldest = session.scalar(sa.select(Task.id).where(waits).order_by(Task.scheduled_dttm).limit(1))
        if oldest is not None:
            session.execute(sa.update(Task).where(Task.id == oldest).values(priority_weight=PATIENT))
            preferred.append(str(oldest))
    return preferred
