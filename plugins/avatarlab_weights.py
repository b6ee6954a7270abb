"""What a task of a render weighs in the queues of the pools: the scheduler takes the heaviest first.

The weight follows from the run's id, which is all of its run that Airflow tells when it makes the task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy

from avatarlab_ops.places import INTERACTIVE_RUN

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

INTERACTIVE = 1000  # more than any other task weighs


class PeopleFirst(PriorityWeightStrategy):
    """Whom somebody waits for, then what is further on: what was begun goes before what was not."""

    def get_weight(self, ti: TaskInstance) -> int:
        """The task's own weight with that of all tasks before it, and INTERACTIVE of an interactive run."""
        task = ti.task
        dag = task.get_dag() if task else None
        if task is None or dag is None:
            return 1
        before = task.get_flat_relative_ids(upstream=True)
        weight = task.priority_weight + sum(dag.task_dict[name].priority_weight for name in before)
        return weight + (INTERACTIVE if ti.run_id.startswith(INTERACTIVE_RUN) else 0)
