"""Between Airflow and housekeeping: the operator, and whether a run goes on. No DAG lives here."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowRuntimeError
from avatarlab_airflow import retry_policy
from avatarlab_connections import settings

from avatarlab_ops import environment, pipeline
from avatarlab_ops.places import BULK_DAG, OVER, RENDER_DAG

if TYPE_CHECKING:
    from airflow.sdk import Context

    from avatarlab_ops.housekeeping import Chore

BY_THE_CLOCK = "scheduled"  # Airflow's type of such a run
APPLIED = "applied"  # XCom key that says whether anything was changed


class HousekeepingOperator(BaseOperator):
    """Keeps house, by the clock as the environment says, else as the run's params do; counts and bytes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"retry_policy": retry_policy(), **kwargs})

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what each chore found, and log it."""
        from avatarlab_ops.housekeeping import Rules, keep_house

        where, asked = settings(), context["params"]
        limit = None if asked["max_gib"] is None else int(asked["max_gib"] * 1024**3)
        rules = Rules(intermediates=timedelta(days=asked["days"]), max_bytes=limit)
        by_itself = context["dag_run"].run_type == BY_THE_CLOCK
        apply = applies(context["dag_run"].run_type, dry_run=asked["dry_run"])
        context["ti"].xcom_push(key=APPLIED, value=apply)
        pipeline.ready_stores(where)  # this may be the first run of all
        found = keep_house(
            where, rules, apply=apply, alive=run_goes_on, bulk_alive=bulk_goes_on,
            by_itself=by_itself, tell=self.tell,
        )  # fmt: skip
        return [asdict(chore) for chore in found]

    def tell(self, chore: Chore) -> None:
        """Log what a chore found."""
        self.log.info("%s: %d (%d bytes), %d put right", chore.name, chore.found, chore.bytes, chore.done)
        for note in chore.notes:
            self.log.info("  %s", note)


def applies(run_type: str, *, dry_run: bool) -> bool:
    """Whether a run changes anything: by the clock as AVATARLAB_HOUSEKEEPING says, else by its form."""
    return environment.read().housekeeping == "apply" if run_type == BY_THE_CLOCK else not dry_run


def run_goes_on(run_id: str) -> bool | None:
    """Whether a run of `avatar_render` goes on: False also for an unknown one, None when nobody can tell."""
    return _goes_on(RENDER_DAG, run_id)


def bulk_goes_on(run_id: str) -> bool | None:
    """Whether a run of `avatar_regenerate` goes on; False and None as of `run_goes_on`."""
    return _goes_on(BULK_DAG, run_id)


def _goes_on(dag: str, run_id: str) -> bool | None:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    try:
        state = RuntimeTaskInstance.get_dagrun_state(dag, run_id)
    except AirflowRuntimeError as error:
        detail = error.error.detail or {}
        return False if detail.get("status_code") == 404 else None
    return state not in OVER
