"""Two API processes on the same stores, one of them killed; tests/chaos does it 200 times, with Airflow.

They also send on what an earlier process left in the outbox.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import psycopg
from kit import api_process, orders_under_fire
from kit.eventually import eventually

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.documents import documents


def left_behind(stores: Settings) -> str:
    """A message whose task found MongoDB away; its key."""
    key = uuid.uuid4().hex
    timeline = {"duration_s": 1.5, "language": "en-US", "words": [], "phones": [], "visemes": []}
    with transaction(stores.pg_dsn) as db:
        outbox.post(db, "timelines", key, timeline, None)
    return key


def test_an_order_to_two_processes_of_which_one_is_killed_is_one_run(
    stores: Settings, portrait: str, tmp_path: Path
) -> None:
    body = {"script": "Hello there.", "avatar": {"uri": portrait}}
    with psycopg.connect(stores.pg_dsn) as db:
        db.execute(api_process.BEGUN)
    key = left_behind(stores)
    here = os.environ | {"AIRFLOW_HOME": str(tmp_path)}
    with api_process.serving(stores, 2, here) as servers:
        told = orders_under_fire.fire(stores, servers, body, rounds=5, seed=1)
        orders_under_fire.settled(stores)
        eventually(lambda: documents(stores).find("timelines", key))
    with psycopg.connect(stores.pg_dsn) as db:
        runs = [str(row[0]) for row in db.execute("SELECT run_id FROM begun")]
    orders_under_fire.check(stores, told, runs)
