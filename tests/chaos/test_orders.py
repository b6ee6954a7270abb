"""200 kills among orders to two API processes, on Airflow's database: never two runs, never a lost one."""

from __future__ import annotations

import psycopg
import pytest
from kit import api_process, orders_under_fire
from kit.consented import consented

from avatarlab_ops import pipeline
from avatarlab_ops.embedded import airflow
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects

ROUNDS = 200


@pytest.fixture(scope="module", autouse=True)
def _here() -> None:
    """No part of Airflow runs beside these tests; its tables suffice."""


@pytest.fixture(scope="module")
def settings(servers: Settings) -> Settings:
    pipeline.prepare_stores(servers)
    return servers


@pytest.fixture(scope="module")
def with_airflow(settings: Settings) -> dict[str, str]:
    """The environment of Airflow's parts, its tables made and the DAGs written down; no part runs."""
    site = airflow.Site(settings.home, "127.0.0.1", api_process.free_port())
    environment = airflow.set_up(site, settings)
    airflow._run(site, environment, "dags", "reserialize")
    return environment


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_order_is_one_render_and_one_run(settings: Settings, with_airflow: dict[str, str]) -> None:
    portrait = airflow.project_root() / "demo" / "astronaut.png"
    consented(settings, portrait)
    objects(settings).put_if_absent("inputs", "orders/astronaut.png", portrait)
    body = {"script": "Hello there.", "avatar": {"uri": "s3://inputs/orders/astronaut.png"}}
    with api_process.serving(settings, 2, with_airflow) as servers:
        told = orders_under_fire.fire(settings, servers, body, rounds=ROUNDS, seed=1)
        orders_under_fire.settled(settings)
    orders_under_fire.check(settings, told, begun(settings))
    made = len(orders_under_fire.renders(settings))
    print(f"{ROUNDS} kills, {told.unbegun} of them between record and start; {made} orders, {made} runs")
    assert told.unbegun > 0


def begun(settings: Settings) -> list[str]:
    """Runs that Airflow's own database holds."""
    with psycopg.connect(airflow.metadata_dsn(settings)) as db:
        return [
            str(row[0]) for row in db.execute("SELECT run_id FROM dag_run WHERE dag_id = 'avatar_render'")
        ]
