"""Order in the stores: what expired, got lost or was left behind.

The daily run withdraws videos past their label `retention`, removes what was left unfinished and forgets what
has served; where objects and records disagree it only reports. AVATARLAB_HOUSEKEEPING=report has it report
alone, `off` ends it. A run by hand reports, unless `dry_run` is taken away: then it puts all of it right.
"""

from datetime import UTC, datetime

from airflow.sdk import DAG, Param
from avatarlab_keeping import HousekeepingOperator

from avatarlab_ops import environment
from avatarlab_ops.places import KEEPING_DAG
from avatarlab_ops.retention import INTERMEDIATE_DAYS

with DAG(
    KEEPING_DAG,
    description="Removes what expired, repairs what got lost, closes what was left behind.",
    doc_md=__doc__,
    schedule=None if environment.read().housekeeping == "off" else "@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),  # past: a missed day is made up for
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
