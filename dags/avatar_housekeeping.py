"""Order in the stores, once a day: what expired, got lost or was left behind. Only reports, unless told."""

from airflow.sdk import DAG, Param
from avatarlab_keeping import HousekeepingOperator

from avatarlab_ops.places import KEEPING_DAG
from avatarlab_ops.retention import INTERMEDIATE_DAYS

with DAG(
    KEEPING_DAG,
    description="Removes what expired, repairs what got lost, closes what was left behind.",
    doc_md=__doc__,
    schedule="@daily",
    catchup=False,
    max_active_runs=1,
    params={
        "dry_run": Param(True, "Only report: counts and bytes, nothing is changed.", type="boolean"),
        "days": Param(
            INTERMEDIATE_DAYS,
            "Age in days at which intermediates that nothing needs go.",
            type="integer",
            minimum=0,
        ),
        "max_gib": Param(
            None, "Size in GiB beyond which they go earlier.", type=["null", "number"], minimum=0
        ),
    },
    tags=["avatarlab"],
    default_args={"owner": "avatarlab", "pool": "cpu", "retries": 2},
) as dag:
    HousekeepingOperator(task_id="keep_house")
