"""One request, one video: the stage graph of `avatarlab_ops.pipeline` as an Airflow DAG."""

from datetime import timedelta

from airflow.sdk import DAG
from avatarlab_airflow import AdmitOperator, PublishOperator, StageOperator, params

with DAG(
    "avatar_render",
    description="A script, a likeness and a voice in; a published talking video out.",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    params=params(),
    tags=["avatarlab"],
    max_active_runs=32,
    default_args={
        "owner": "avatarlab",
        "pool": "cpu",
        "retries": 4,
        "retry_delay": timedelta(seconds=2),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=2),
        "trigger_rule": "none_failed",
        "priority_weight": 10,  # before every bulk task, which has 1
    },
) as dag:
    admit = AdmitOperator(stage="admit")
    speech = StageOperator(stage="speech", pool="gpu")
    face = StageOperator(stage="face")
    matte = StageOperator(stage="matte", pool="gpu")
    lipsync = StageOperator(stage="lipsync", pool="gpu")
    composite = StageOperator(stage="composite")
    publish = PublishOperator(stage="publish")

    admit >> [speech, face, matte]
    [speech, face] >> lipsync
    [lipsync, matte] >> composite >> publish
