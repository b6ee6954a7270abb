"""Begins the DAG runs of ordered renders, and ends those of cancelled ones.

The order lies in the outbox, written with the render, and is held there until the line has come to it: no
more runs are begun than keep the pools busy. Every api-server looks for orders when it wrote one itself and
every two seconds; the outbox gives an order to one of them at a time, and the run's id, which follows from
the render's, lets a run begin once however often that is tried.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.api.common.trigger_dag import trigger_dag
from airflow.exceptions import DagNotFound, DagRunAlreadyExists, ParamValidationError
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.utils.retries import run_with_db_retries
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from avatarlab_ops import environment, pipeline, tracing
from avatarlab_ops.errors import AvatarlabError, TransientError
from avatarlab_ops.places import POOLS, RENDER_DAG
from avatarlab_ops.renders import orders, status
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import OPEN, RenderState
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import records
from avatarlab_ops.stores.catalog.line import Room
from avatarlab_ops.trust import callers
from avatarlab_web.stores import stores
from avatarlab_web.watching import again

LOOK_S = 2.0
POOLS_S = 10.0  # how long the answer is believed, how many places the pools have
AHEAD = 2  # renders at work for each place of both pools: one works, one is there when it ends
MOST_AT_ONCE = 160  # Airflow has 256 runs open, of which those that wait for approval need some
KEPT = 4  # for one in so many places there is one besides, for interactive renders alone
log = logging.getLogger(__name__)


async def watch() -> None:
    """Begin what was ordered, again and again, until cancelled."""
    await again(lambda: asyncio.to_thread(begin_ordered), LOOK_S, "orders")


def begin_ordered() -> None:
    """Begin the runs to which the line has come; what cannot be done now is left to a later look."""
    try:
        where = stores()
        let_begin(where)
        start(where)
    except (AvatarlabError, SQLAlchemyError) as error:
        log.warning("orders are looked for again in %.0f s: %s", LOOK_S, error)


def start(where: Settings) -> int:
    """Begin the runs of those that were let begin; return how many."""
    return outbox.deliver_to(where, outbox.Receiver((records.RUNS,), _carry_out))


def let_begin(where: Settings) -> None:
    """Let those orders begin for which there is room; where that cannot be known now, they wait."""
    try:
        orders.let_begin(where, room())
    except (AvatarlabError, SQLAlchemyError) as error:
        log.warning("whoever waits in line is looked at again in %.0f s: %s", LOOK_S, error)


def room() -> Room:
    """How many renders may be at work at once: as many as keep the pools busy, or as the operator says."""
    renders = environment.read().renders_at_once
    if renders is None:
        renders = min(MOST_AT_ONCE, AHEAD * _places(int(time.monotonic() / POOLS_S)))
    return Room(renders, max(2, renders // KEPT))


@functools.lru_cache(maxsize=1)
def _places(_: int) -> int:
    """Places of both pools."""
    with create_session(scoped=False) as session:
        return places(session.scalars(sa.select(Pool.slots).where(Pool.pool.in_(POOLS))).all())


def places(slots: Sequence[int]) -> int:
    """Places of pools of so many slots; Airflow calls -1 a pool without a limit.

    >>> places([4, 2]), places([0, 0]), places([4, -1]) == MOST_AT_ONCE
    (6, 1, True)
    """
    return MOST_AT_ONCE if min(slots, default=0) < 0 else max(1, sum(slots))


def _carry_out(where: Settings, _topic: str, run_id: str, order: dict[str, Any]) -> None:
    """Begin one run, unless its render has ended; one that another run took up is worked on by both.

    A run that Airflow refuses ends the render.
    """
    render_id = order["render_id"]
    if status.of(where, render_id).state not in OPEN:
        return
    with tracing.of_render(render_id, "begin run", run_id=run_id):
        refusal = begin(RENDER_DAG, run_id, order["conf"], order["caller"])
    if refusal:
        pipeline.fail(where, render_id, f"Airflow refused the run: {refusal}")
    elif status.of(where, render_id).state == RenderState.CANCELLED:  # meanwhile, by who saw no run to end
        stop(run_id)


def begin(dag_id: str, run_id: str, conf: dict[str, Any], caller: str) -> str | None:
    """Create a DAG run, unless there is one of this id; return why Airflow refuses it.

    Raises TransientError when that may pass.
    """
    try:
        trigger_dag(
            dag_id, triggered_by=DagRunTriggeredByType.REST_API, triggering_user_name=callers.user_of(caller),
            run_id=run_id, conf=conf,
        )  # fmt: skip
    except (DagRunAlreadyExists, IntegrityError):
        return None
    except (ParamValidationError, ValueError) as error:
        return str(error)
    except (DagNotFound, SQLAlchemyError) as error:
        raise TransientError(f"Airflow cannot begin the run {run_id} now: {error}") from error
    return None


@dataclass(frozen=True)
class Run:
    """A DAG run as Airflow knows it."""

    state: str
    conf: dict[str, Any]
    caller: str
    note: str | None
    queued_at: datetime


def look(dag_id: str, run_id: str) -> Run | None:
    """The run, if Airflow has one of this id."""
    with create_session(scoped=False) as session:
        run = DagRun.find_duplicate(dag_id=dag_id, run_id=run_id, session=session)
        if run is None:
            return None
        caller = callers.of_user(run.triggering_user_name) if run.triggering_user_name else "airflow"
        return Run(str(run.state), dict(run.conf or {}), caller, run.note, run.queued_at or run.run_after)


def stop(run_id: str, dag_id: str = RENDER_DAG) -> None:
    """End a DAG run and its tasks, if it exists and has not ended."""
    for attempt in run_with_db_retries():  # the scheduler may hold the same rows in another order
        with attempt, create_session(scoped=False) as session:
            run = DagRun.find_duplicate(dag_id=dag_id, run_id=run_id, session=session)
            dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session) if run else None
            if run and dag and run.state in ("queued", "running"):
                set_dag_run_state_to_failed(dag=dag, run_id=run_id, commit=True, session=session)
