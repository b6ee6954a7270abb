"""Many videos at once: the rows of a file, or anew what was published and is chosen by filter or staleness.

`plan` checks every row before anything starts. Items go in batches through three tasks each: `prepare`
(CPU), `perform` (all model stages, in the pool `gpu`) and `finish` (CPU); `tell` gives an event for each
video that was published, whatever became of the batch. Every task has a lower priority
than those of single requests. `perform` takes at most AVATARLAB_BULK_GPU_TASKS (1) places of the pool `gpu`,
for a turn at a time; the other two take AVATARLAB_BULK_CPU_TASKS (1) each of the pool `cpu`, which leaves it
mostly free. Triggered again under the same name, or cleared, a run continues.

AVATARLAB_REGENERATE_CRON (e.g. `0 3 * * *`, in UTC) makes anew by the clock whatever is stale; the Airflow
variable `avatarlab_regenerate`, a JSON object of filters, narrows that. Why a run failed is its note.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, chain, task_group
from avatarlab_airflow import BEGUN, as_params
from avatarlab_bulk import BatchOperator, PlanOperator, ReportOperator, TellOperator

from avatarlab_ops import environment, graph
from avatarlab_ops.bulk.contract import form_schema
from avatarlab_ops.places import BULK_DAG, PLAN_TASK

VARIABLES = environment.read()
# Tasks of bulk runs in each pool at a time.
SHARES = {"cpu": VARIABLES.bulk_cpu_tasks, "gpu": VARIABLES.bulk_gpu_tasks}

with DAG(
    BULK_DAG,
    description="Many requests at once: from a file, by filter, or what is stale.",
    doc_md=__doc__,
    schedule=VARIABLES.regenerate_cron,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    allowed_run_types=BEGUN,
    params=as_params(form_schema()),
    tags=["avatarlab"],
    max_active_runs=64,  # pools and shares limit the work; callers take turns (avatarlab_web/turns.py)
    default_args={
        "owner": "avatarlab",
        "pool": "cpu",
        "priority_weight": 1,
        "weight_rule": "absolute",
        "retries": 4,
        "retry_delay": timedelta(seconds=2),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=2),
    },
) as dag:
    plan = PlanOperator(task_id=PLAN_TASK)

    @task_group
    def batch(number: int) -> None:
        """One batch of items."""
        chain(*(
            BatchOperator(
                group=group, batch=number, pool=pool, queue=graph.group_queue(group),
                max_active_tis_per_dag=SHARES[pool],
            )
            for group, pool in graph.GROUP_POOLS.items()
        ), TellOperator(batch=number))  # fmt: skip

    report = ReportOperator(task_id="report", trigger_rule="all_done")
    batch.expand(number=plan.output) >> report
