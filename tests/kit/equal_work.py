"""Two runs of an Airflow that ask for equal work: who works, who waits."""

from __future__ import annotations

from typing import Any

from kit.eventually import eventually
from kit.running_site import Site


def with_one_behind(site: Site, runs: list[str]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The task at work on a stage, and the other run's task that is deferred for it."""
    for stage in ("lipsync", "speech", "composite"):
        url = "/api/v2/dags/avatar_render/dagRuns/{}/taskInstances/" + stage
        found = {task["state"]: task for task in (site.client.get(url.format(run)) for run in runs)}
        if "deferred" in found and found.get("running", {}).get("pid"):
            return found["running"], found["deferred"]
    return None


def check_gave_way(site: Site, waiter: dict[str, Any]) -> None:
    """A deferred task holds no slot of its pool, and people are told that it waits."""

    def holds_no_slot() -> bool:
        pool = site.client.get(f"/api/v2/pools/{waiter['pool']}")  # figures counted one by one
        return pool["deferred_slots"] >= 1 and pool["open_slots"] == pool["slots"] - pool["running_slots"]

    assert eventually(holds_no_slot)
    states = {one.stage: one.state for one in site.status(waiter["dag_run_id"]).stages}
    assert states[waiter["task_id"]] == "waiting"
