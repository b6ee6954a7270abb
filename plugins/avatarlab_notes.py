"""Why a DAG run failed, as the run's note: what a person sees first on the run's page and in REST.

A task cannot set its run's note: its token is for the execution API, and notes belong to the other one. A
call over REST would need a login of its own. This listener runs where Airflow ends the run (the scheduler, or
the api-server when a person marks it failed), inside the transaction that does so: one query, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from avatarlab_ops.places import REFUSAL

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

MAX_NOTE = 1000  # characters, Airflow's limit


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:  # noqa: ARG001
    """Put the first reason that a task left under whatever note the run has already."""
    if not dag_run.dag_id.startswith("avatar_"):
        return
    if reason := _first_reason(dag_run):
        add(dag_run, reason)


def add(dag_run: DagRun, text: str) -> None:
    """Put a text under whatever note the run has, once."""
    if text not in (note := dag_run.note or ""):
        dag_run.note = f"{note}\n\n{text}".strip()[:MAX_NOTE]


def _first_reason(dag_run: DagRun) -> str | None:
    """What the task that failed first said; those after it often only say that it failed."""
    import sqlalchemy as sa
    from airflow.models.xcom import XComModel
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:
        return None
    query = (
        sa.select(XComModel)
        .where(XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id)
        .where(XComModel.key == REFUSAL)
        .order_by(XComModel.timestamp)
    )
    first = session.scalars(query.limit(1)).first()
    told: Any = XComModel.deserialize_value(first) if first else {}
    return str(told["reason"])[:MAX_NOTE] if told else None
