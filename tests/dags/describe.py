"""Imports the DAG file as Airflow does and prints, as JSON, what the tests ask."""

import importlib
import json
import sys
from typing import Any


def main() -> None:
    import airflow.sdk  # noqa: F401
    import pydantic  # noqa: F401

    before = set(sys.modules)
    dag = importlib.import_module(sys.argv[1]).dag
    from airflow.sdk.api.datamodels._generated import DagRunType

    policy = dag.tasks[-1].retry_policy
    tasks = {
        task.task_id: {
            "pool": task.pool,
            "queue": task.queue,
            "pool_slots": task.pool_slots,
            "trigger_rule": str(task.trigger_rule.value),
            "retries": task.retries,
            "priority": (str(task.weight_rule), task.priority_weight),
            "share": task.max_active_tis_per_dag,
            "downstream": sorted(task.downstream_task_ids),
            "outlets": [asset.name for asset in task.outlets],
            "links": [link.name for link in task.operator_extra_links],
        }
        for task in dag.tasks
    }
    params = {}
    for name in dag.params:
        param = dag.params.get_param(name)
        params[name] = {"schema": param.schema, "default": param.value if param.has_value else None}
    decisions = {}
    from avatarlab_ops import errors

    for name, error in vars(errors).items():
        if isinstance(error, type) and issubclass(error, errors.AvatarlabError):
            decisions[name] = policy.evaluate(error("x"), 1, 5).action.value
    decisions["TypeError"] = policy.evaluate(TypeError("x"), 1, 5).action.value
    decisions["KeyError"] = policy.evaluate(KeyError("x"), 1, 5).action.value
    decisions["ConnectionError"] = policy.evaluate(ConnectionError("x"), 1, 5).action.value
    print(json.dumps({
        "tasks": tasks, "params": params, "decisions": decisions,
        "imported": sorted(set(sys.modules) - before), "schedule": str(dag.schedule),
        "runs": dag.max_active_runs, "unwritten": begun(dag),
        "kinds": sorted(kind.value for kind in dag.allowed_run_types or DagRunType),
    }))  # fmt: skip


def begun(dag: Any) -> str:
    """Why Airflow refuses a run of a narration without a script, "" where it does not."""
    from airflow.sdk.exceptions import ParamValidationError

    params = dag.params
    if "narration.uri" not in params:
        return ""
    try:
        params.update({"avatar.uri": "s3://inputs/a.mp4", "narration.uri": "s3://inputs/n.wav"})
        params.validate()
    except ParamValidationError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main()
