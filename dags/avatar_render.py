"""One request, one video: the stage graph of `avatarlab_ops.pipeline` as an Airflow DAG."""

from datetime import timedelta

from airflow.sdk import DAG
from avatarlab_airflow import BEGUN, AdmitOperator, PublishOperator, StageOperator, params

from avatarlab_ops import graph
from avatarlab_ops.places import RENDER_DAG

OPERATORS = {graph.ADMIT.name: AdmitOperator, graph.PUBLISH.name: PublishOperator}

with DAG(
    RENDER_DAG,
    description="A script, a likeness and a voice in; a published talking video out.",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    allowed_run_types=BEGUN,
    params=params(),
    tags=["avatarlab"],
    # Pools limit the work. A run that waits for approval counts here and works on nothing, so the number
    # leaves room for many of those; what somebody waits for goes first, then what was begun (weight_rule).
    max_active_runs=graph.OPEN_RUNS,
    default_args={
        "owner": "avatarlab",
        "retries": 4,
        "retry_delay": timedelta(seconds=2),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=2),
        "trigger_rule": "none_failed",
        "priority_weight": 10,  # before every bulk task, which has 1
        "weight_rule": "avatarlab_weights.PeopleFirst",
    },
) as dag:
    tasks = {
        stage.name: OPERATORS.get(stage.name, StageOperator)(
            stage=stage.name, pool=stage.pool, queue=graph.queue(stage)
        )
        for stage in map(graph.BY_NAME.__getitem__, graph.STAGES)
    }
    for name, task in tasks.items():
        task << [tasks[before] for before in graph.before(name)]
