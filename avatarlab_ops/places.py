"""Where work is done, as Airflow shows it: DAGs, tasks, pools, workers, ids of runs and their ends, XCom."""

from __future__ import annotations

from typing import Literal, get_args

RENDER_DAG, BULK_DAG, KEEPING_DAG = "avatar_render", "avatar_regenerate", "avatar_housekeeping"
Pool = Literal["gpu", "cpu"]
Queue = Literal["cpu", "gpu", "gpu_large"]  # of workers with no device, with one slot of a device, with more
POOLS: tuple[Pool, ...] = get_args(Pool)
QUEUES: tuple[Queue, ...] = get_args(Queue)
# The id of an order's run is one of these and the render's id; it tells Airflow's queues who goes first.
RUN, INTERACTIVE_RUN = "render-", "interactive-"
OVER = ("success", "failed")  # states of a run of Airflow's that has ended
ADMIT_TASK, PLAN_TASK = "admit", "plan"  # which accept a request, and plan a bulk run
# Keys of what tasks leave in XCom: `admit` its render, `plan` its bulk run, and counts and predictions;
# a task that fails {"code", "reason"}.
RENDER_ID, BULK_ID, OUTLINE, REFUSAL = "render_id", "bulk_id", "outline", "refusal"
