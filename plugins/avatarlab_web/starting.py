"""Begins the DAG runs of ordered renders, and ends those of cancelled ones.

The order lies in the outbox, written with the render. Every api-server looks for orders when it wrote one
itself and every two seconds; the outbox gives an order to one of them at a time, and the run's id, which
follows from the render's, lets a run begin once however often that is tried.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from avatarlab_ops.errors import AvatarlabError, TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.trust import callers
from avatarlab_web.stores import stores

LOOK_S = 2.0
DAG, BULK_DAG = "avatar_render", "avatar_regenerate"
log = logging.getLogger(__name__)


async def watch() -> None:
    """Begin what was ordered, again and again, until cancelled."""
    from sqlalchemy.exc import SQLAlchemyError

    while True:
        try:
            await asyncio.to_thread(lambda: start(stores()))
        except (AvatarlabError, SQLAlchemyError) as error:
            log.warning("orders are looked for again in %.0f s: %s", LOOK_S, error)
        await asyncio.sleep(LOOK_S)


def start(where: Settings, render_id: str | None = None) -> int:
    """Begin the run of one render, or of all that were ordered; return how many orders were carried out."""
    from avatarlab_ops.stores import outbox
    from avatarlab_ops.stores.catalog import records

    return outbox.deliver_to(where, outbox.Receiver((records.RUNS,), _carry_out), render_id)


def _carry_out(where: Settings, _topic: str, run_id: str, order: dict[str, Any]) -> None:
    """Begin one run, unless its render has ended. A run that Airflow refuses ends the render."""
    from avatarlab_ops import pipeline, tracing
    from avatarlab_ops.renders import status

    render_id = order["render_id"]
    if status.of(where, render_id).state != "accepted":
        return
    with tracing.of_render(render_id, "begin run", run_id=run_id):
        refusal = begin(DAG, run_id, order["conf"], order["caller"])
    if refusal:
        pipeline.fail(where, render_id, f"Airflow refused the run: {refusal}")
    elif status.of(where, render_id).state == "cancelled":  # meanwhile, by who saw no run to end
        stop(run_id)


def begin(dag_id: str, run_id: str, conf: dict[str, Any], caller: str) -> str | None:
    """Create a DAG run, unless there is one of this id; return why Airflow refuses it.

    Raises TransientError when that may pass.
    """
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import DagNotFound, DagRunAlreadyExists, ParamValidationError
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy.exc import IntegrityError, SQLAlchemyError

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
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        run = DagRun.find_duplicate(dag_id=dag_id, run_id=run_id, session=session)
        if run is None:
            return None
        caller = callers.of_user(run.triggering_user_name) if run.triggering_user_name else "airflow"
        return Run(str(run.state), dict(run.conf or {}), caller, run.note, run.queued_at or run.run_after)


def stop(run_id: str, dag_id: str = DAG) -> None:
    """End a DAG run and its tasks, if it exists and has not ended."""
    from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
    from airflow.models.dagbag import DBDagBag
    from airflow.models.dagrun import DagRun
    from airflow.utils.retries import run_with_db_retries
    from airflow.utils.session import create_session

    for attempt in run_with_db_retries():  # the scheduler may hold the same rows in another order
        with attempt, create_session(scoped=False) as session:
            run = DagRun.find_duplicate(dag_id=dag_id, run_id=run_id, session=session)
            dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session) if run else None
            if run and dag and run.state in ("queued", "running"):
                set_dag_run_state_to_failed(dag=dag, run_id=run_id, commit=True, session=session)
