"""Between Airflow and bulk runs: their operators. No DAG lives here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetAlias, BaseOperator, Variable
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from avatarlab_airflow import VIDEOS, caller_of, retry_policy, saying_why, told_of_video
from avatarlab_connections import settings
from avatarlab_triggers import Decided, TurnEnded

from avatarlab_ops import graph
from avatarlab_ops.bulk.contract import BulkRequest, by_the_clock
from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.places import BULK_ID, OUTLINE, PLAN_TASK, REFUSAL
from avatarlab_ops.states import ItemState

if TYPE_CHECKING:
    from airflow.sdk import Context


BATCHES = AssetAlias("avatarlab_batches")  # through it one task gives an event of VIDEOS for each video
SCHEDULED = "avatarlab_regenerate"  # Airflow variable: what a run by the clock chooses, as JSON


class BulkOperator(BaseOperator):
    """What the tasks of a bulk run have in common: retries by the exception tree."""

    ui_color = "#e2e8f0"

    def __init__(self, **kwargs: Any) -> None:
        kwargs = {"retry_policy": retry_policy(), "on_failure_callback": tell_refusal, **kwargs}
        super().__init__(**kwargs)


def asked_by(run: Any) -> BulkRequest:
    """What a run was triggered with; one by the clock takes what the variable chooses."""
    if run.run_type != "scheduled":
        return BulkRequest.parse(run.conf or {})
    return by_the_clock(Variable.get(SCHEDULED, default=None), f"Airflow's variable {SCHEDULED}")


def is_last_try(context: Context) -> bool:
    """Whether Airflow gives the task up when it fails now."""
    task: Any = context["ti"]
    return bool(task.try_number > task.max_tries)


def site_address() -> str:
    """Where people open this Airflow."""
    return str(conf.get("api", "base_url")).rstrip("/")


class PlanOperator(BulkOperator):
    """Checks every row, keeps the items, and returns the batches that have work to do."""

    def execute(self, context: Context) -> list[int]:
        """Batch numbers for the mapped tasks; none for a dry run."""
        from avatarlab_ops.bulk import names, planning

        run = context["dag_run"]
        with saying_why(context):
            asked = asked_by(run)
            bulk_id = names.bulk_id_of(asked.name, run.run_id)
            outline = planning.plan_or_tell(
                settings(), asked, bulk_id=bulk_id, caller=caller_of(run), run_id=run.run_id,
                last_try=is_last_try(context), address=site_address(),
            )  # fmt: skip
        if not outline.dry_run:
            context["ti"].xcom_push(key=BULK_ID, value=bulk_id)
        batches = list(outline.batches)
        told = asdict(outline) | {"batches": len(batches)}
        # Lists: of a tuple XCom would tell REST callers its type beside its values.
        told |= {"told": list(outline.told), "notes": list(outline.notes)}
        context["ti"].xcom_push(key=OUTLINE, value=told)
        return batches


class BatchOperator(BulkOperator):
    """One group of stages for one batch; at the end of a turn it queues again behind whoever waits."""

    template_fields: Sequence[str] = ("batch",)

    def __init__(self, *, group: str, batch: Any, **kwargs: Any) -> None:
        self.publishes = graph.PUBLISH.name in graph.GROUPS[group]
        super().__init__(task_id=group, **kwargs)
        self.group, self.batch = group, batch

    def execute(self, context: Context, event: str | None = None) -> None:  # noqa: ARG002
        """Work until the batch is done or, in the pool `gpu`, the turn is over."""
        from avatarlab_ops.bulk.planning import TURN_S
        from avatarlab_ops.bulk.work import work

        task: Any = context["ti"]
        bulk_id = task.xcom_pull(task_ids=PLAN_TASK, key=BULK_ID)
        last_try = is_last_try(context)
        turn_s = TURN_S if self.pool == "gpu" else math.inf
        if not work(settings(), bulk_id, int(self.batch), self.group, turn_s=turn_s, last_try=last_try):
            # Not rescheduled: Airflow takes a task that is queued again before the end of its last process
            # was seen for a failed one, unless it had been deferred.
            self.defer(trigger=TurnEnded(), method_name="execute")
        if self.publishes:
            self.wait_for_approval(bulk_id)

    def wait_for_approval(self, bulk_id: str) -> None:
        """Come back once somebody has decided about an item of this batch; the other batches go on."""
        from avatarlab_ops.stores.catalog import bulk, transaction

        with transaction(settings().pg_dsn) as db:
            renders = bulk.awaiting(db, bulk_id, int(self.batch))
        if renders:
            self.defer(trigger=Decided(renders), method_name="execute")


class TellOperator(BulkOperator):
    """An event for each video of a batch that this bulk run published, also where the batch failed then.

    A task of its own: Airflow keeps no event of a task that fails. Run again, it tells them again.
    """

    template_fields: Sequence[str] = ("batch",)

    def __init__(self, *, batch: Any, **kwargs: Any) -> None:
        super().__init__(**{"task_id": "tell", "outlets": [BATCHES], "trigger_rule": "all_done", **kwargs})
        self.batch = batch

    def execute(self, context: Context) -> int:
        """Return how many videos were told of."""
        from avatarlab_ops.stores.catalog import bulk, transaction

        where, bulk_id = settings(), context["ti"].xcom_pull(task_ids=PLAN_TASK, key=BULK_ID)
        with transaction(where.pg_dsn) as db:
            bulk.settle(db, bulk_id, int(self.batch))
            videos = bulk.published(db, bulk_id, int(self.batch))
        for render_id in videos:
            told = told_of_video(where, render_id) | {"bulk_id": bulk_id}
            context["outlet_events"][BATCHES].add(VIDEOS, extra=told)
        return len(videos)


class ReportOperator(BulkOperator):
    """Writes the report and the summary event once every item has ended."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts; fails while items are left, so that the run shows as failed."""
        from avatarlab_ops.bulk import report

        task = context["ti"]
        outline = task.xcom_pull(task_ids=PLAN_TASK, key=OUTLINE)
        if outline is None:
            raise AirflowFailException("nothing was planned; the task plan says why")
        if outline["dry_run"]:
            raise AirflowSkipException("a dry run has nothing to report")
        bulk_id = task.xcom_pull(task_ids=PLAN_TASK, key=BULK_ID)
        summary = report.finish(settings(), bulk_id, address=site_address())
        if left := summary.states.get(ItemState.WAITING):
            raise AirflowFailException(
                f"{left} of {summary.items} items have not ended; clear this run, or ask for it again under "
                f"the name {summary.bulk_id}: it continues"
            )
        return asdict(summary) | {"created_at": str(summary.created_at), "ended_at": str(summary.ended_at)}


def tell_refusal(context: Context) -> None:
    """Leave the reason of a failure as XCom beside the task's log."""
    error = context.get("exception")
    told = {"code": "error", "reason": str(error or "the process ended before its task did")}
    if isinstance(error, AvatarlabError):
        told["code"] = error.code
    context["ti"].xcom_push(key=REFUSAL, value=told)
