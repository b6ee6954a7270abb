"""Ends the render, or the bulk run, of an Airflow run that is over without having said so; notes it there.

A task that fails ends its render and says why. A person who marks a run or deletes it tells no task, and
Airflow's listeners hear nothing of a deletion. So the api-server, where runs are marked and deleted, compares
the renders and bulk runs that have not ended with their runs every two seconds.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from airflow.configuration import conf
from airflow.models.dagrun import DagRun, DagRunNote
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from avatarlab_notes import add

from avatarlab_ops import pipeline
from avatarlab_ops.bulk import report, work
from avatarlab_ops.places import BULK_DAG, RENDER_DAG
from avatarlab_ops.renders import status
from avatarlab_ops.states import Outcome
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import bulk, transaction
from avatarlab_web.stores import stores
from avatarlab_web.watching import again

LOOK_S = 2.0
GRACE = timedelta(seconds=4)  # a task ends its render, with a better reason, just after its own end
LAST_TASK = "report"  # of a bulk run: it fails while items are left, which the run, cleared, goes on with
_MARKED = {
    "failed": "failed, and no task said why: somebody marked it, or killed its process",
    "success": "was marked as a success before it was one",
    "deleted": "was deleted",
}


async def watch() -> None:
    """Look again and again, until cancelled; the end of a large bulk run delays no render's."""
    await asyncio.gather(
        again(lambda: asyncio.to_thread(end_renders), LOOK_S, "runs that are over"),
        again(lambda: asyncio.to_thread(end_bulk_runs), LOOK_S, "bulk runs that are over"),
    )


def end_renders() -> None:
    """End every render whose run failed, was marked, or is gone."""
    where = stores()
    open_renders = status.with_run(where)
    runs = _states(set(open_renders.values())) if open_renders else {}
    for render_id, run_id in open_renders.items():
        state = runs.get(run_id, "deleted")
        if state not in _MARKED:
            continue
        reason = f"Airflow's run {run_id} {_MARKED[state]}"
        end = pipeline.fail if state == "failed" else pipeline.cancel
        if end(where, render_id, reason):
            _note(RENDER_DAG, run_id, reason)


def end_bulk_runs() -> None:
    """End every bulk run, with its items, whose run was marked or is gone.

    One whose own last task failed stays as it is: it told what is left, and goes on with that when cleared.
    Once nothing is left, as its last renders were ended by others, it is closed, too.
    """
    where = stores()
    with transaction(where.pg_dsn) as db:
        open_bulk_runs = bulk.open_runs(db)
    runs = _states(set(open_bulk_runs.values()), BULK_DAG) if open_bulk_runs else {}
    resting = _failed_by_themselves({run for run, state in runs.items() if state == "failed"})
    address = str(conf.get("api", "base_url")).rstrip("/")
    for bulk_id, run_id in open_bulk_runs.items():
        state = runs.get(run_id, "deleted")
        if state in _MARKED and run_id not in resting:
            reason = f"Airflow's run {run_id} {_MARKED[state]}"
            ended = work.cancel(where, bulk_id, reason, failed=state == "failed", address=address)
            counts = ", ".join(f"{count} {name}" for name, count in sorted(ended.states.items()))
            _note(BULK_DAG, run_id, f"{reason}. Of its videos: {counts}.")
    _tell_of_unplanned(address)
    at_rest = [bulk_id for bulk_id, run_id in open_bulk_runs.items() if run_id in resting]
    report.finish_over(where, at_rest, address=address)


def _tell_of_unplanned(address: str) -> None:
    """Tell the own address of every bulk run that its run ended before it was planned, where no task could.

    Not where the run is gone: it may be about to begin.
    """
    where = stores()
    with transaction(where.pg_dsn) as db:
        waiting = webhooks.held_for_unplanned(db)
    runs = _states(set(waiting), BULK_DAG) if waiting else {}
    for bulk_id, caller in waiting.items():
        if (state := runs.get(bulk_id, "")) in _MARKED:
            reason = f"Airflow's run {bulk_id} {_MARKED[state]}"
            outcome = Outcome.FAILED if state == "failed" else Outcome.CANCELLED
            report.tell_unplanned(where, bulk_id, caller, reason, outcome=outcome, address=address)


def _failed_by_themselves(run_ids: set[str]) -> set[str]:
    """Failed bulk runs whose last task failed; Airflow skips what a person's mark cut off."""
    if not run_ids:
        return set()
    query = sa.select(TaskInstance.run_id).where(
        TaskInstance.dag_id == BULK_DAG, TaskInstance.run_id.in_(run_ids),
        TaskInstance.task_id == LAST_TASK, TaskInstance.state == "failed",
    )  # fmt: skip
    with create_session(scoped=False) as session:
        return set(session.scalars(query))


def _states(run_ids: set[str], dag_id: str = RENDER_DAG) -> dict[str, str]:
    """State of each run that exists; one that ended a moment ago counts as running."""
    query = sa.select(DagRun.run_id, DagRun.state, DagRun.end_date)
    query = query.where(DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids))
    settled = datetime.now(UTC) - GRACE
    with create_session(scoped=False) as session:
        rows = session.execute(query).all()
    return {run: "running" if end and end > settled else str(state) for run, state, end in rows}


def _note(dag_id: str, run_id: str, text: str) -> None:
    """Say on the run's page how it ended, if the run is still there."""
    with create_session(scoped=False) as session:
        run = DagRun.find_duplicate(dag_id=dag_id, run_id=run_id, session=session)
        if run is not None:
            add(run, text)


def note(run_id: str) -> str:
    """What a run's note says, "" where it has none: why its first task refused the request."""
    query = sa.select(DagRunNote.content).join(DagRun, DagRun.id == DagRunNote.dag_run_id)
    query = query.where(DagRun.dag_id == RENDER_DAG, DagRun.run_id == run_id)
    with create_session(scoped=False) as session:
        return str(session.scalars(query).first() or "")
