"""The DAG `avatar_housekeeping` in the running Airflow: reports on a dry run, puts right when told."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from running_site import Site, request

from avatarlab_ops import pipeline
from avatarlab_ops.renders import status
from avatarlab_ops.stores.catalog import records, transaction

DAG = "avatar_housekeeping"


def _keep_house(site: Site, *, dry_run: bool) -> dict[str, dict[str, Any]]:
    """Trigger it over REST, and return its report: chore by name."""
    run_id = f"house-{time.time_ns()}"
    site.client.trigger(run_id, {"dry_run": dry_run}, dag=DAG)
    while (state := site.client.run(run_id, DAG)["state"]) not in ("success", "failed"):
        time.sleep(0.2)
    assert state == "success"
    return {chore["name"]: chore for chore in site.client.xcom(run_id, "keep_house", dag=DAG)}


def test_a_render_whose_run_vanished_is_told_then_closed(site: Site) -> None:
    lost = pipeline.submit(site.settings, request(script="Nobody runs this."), run_id="never-existed")
    with transaction(site.settings.pg_dsn) as db:
        records.find(db, lost).created_at = records.now() - timedelta(hours=2)
    told = _keep_house(site, dry_run=True)["renders whose run vanished"]
    assert told["done"] == 0
    assert [note for note in told["notes"] if note.startswith(lost)]
    assert status.of(site.settings, lost).state == "accepted"
    done = _keep_house(site, dry_run=False)["renders whose run vanished"]
    assert done["done"] == done["found"] >= 1
    closed = status.of(site.settings, lost)
    assert closed.state == "failed"
    assert "its run never-existed is over" in (closed.error or "")
