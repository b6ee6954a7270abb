"""The DAG `avatar_housekeeping` in the running Airflow: reports on a dry run, puts right when told."""

from __future__ import annotations

import time
from typing import Any

from kit.eventually import eventually
from kit.running_site import Site, request

from avatarlab_ops import pipeline
from avatarlab_ops.renders import status

DAG = "avatar_housekeeping"


def _keep_house(site: Site, *, dry_run: bool) -> dict[str, dict[str, Any]]:
    """Trigger it over REST, and return its report: chore by name."""
    run_id = f"house-{time.time_ns()}"
    site.client.trigger(run_id, {"dry_run": dry_run}, dag=DAG)
    while (state := site.client.run(run_id, DAG)["state"]) not in ("success", "failed"):
        time.sleep(0.2)
    assert state == "success"
    return {chore["name"]: chore for chore in site.client.xcom(run_id, "keep_house", dag=DAG)}


def test_a_render_whose_run_vanished_ends_and_says_why(site: Site) -> None:
    lost = pipeline.submit(site.settings, request(script="Nobody runs this."), run_id="never-existed")
    eventually(lambda: status.of(site.settings, lost).state == "cancelled")
    assert "run never-existed was deleted" in (status.of(site.settings, lost).error or "")


def test_keeping_house_only_counts_until_it_is_told(site: Site) -> None:
    counted = _keep_house(site, dry_run=True)
    assert {chore["done"] for chore in counted.values()} == {0}
    assert _keep_house(site, dry_run=False).keys() == counted.keys()
