"""The DAG of bulk runs as Airflow sees it: light, few tasks, behind single requests in every queue."""

from __future__ import annotations

from itertools import pairwise

import pytest
from test_avatar_render import beyond, describe

from avatarlab_ops.bulk.contract import form_schema
from avatarlab_ops.canonical import Json

BATCH = ("batch.prepare", "batch.perform", "batch.finish")


@pytest.fixture(scope="module")
def dag(tmp_path_factory: pytest.TempPathFactory) -> Json:
    return describe(tmp_path_factory.mktemp("airflow"), "avatar_regenerate")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Json:
    return describe(tmp_path_factory.mktemp("airflow"))


def test_import_is_light(dag: Json) -> None:
    assert not beyond(dag["imported"])
    assert len(dag["imported"]) < 200, "each module is loaded by every task and every parse"


def test_a_batch_is_three_tasks_one_after_the_other_then_told_whatever_became_of_it(dag: Json) -> None:
    chain = ["plan", *BATCH, "batch.tell", "report"]
    assert set(dag["tasks"]) == set(chain)
    for task, following in pairwise(chain):
        assert following in dag["tasks"][task]["downstream"]
    assert {name: dag["tasks"][name]["pool"] for name in BATCH} == {
        "batch.prepare": "cpu", "batch.perform": "gpu", "batch.finish": "cpu",
    }  # fmt: skip
    tell = dag["tasks"]["batch.tell"]
    assert (tell["trigger_rule"], tell["outlets"]) == ("all_done", ["avatarlab_batches"])


def test_bulk_tasks_wait_behind_single_requests_and_share_the_pools(dag: Json, single: Json) -> None:
    assert {tuple(task["priority"]) for task in dag["tasks"].values()} == {("absolute", 1)}
    assert min(task["priority"][1] for task in single["tasks"].values()) > 1
    assert all(dag["tasks"][name]["share"] == 1 for name in BATCH)


def test_params_are_the_contract_and_nothing_is_scheduled_by_default(dag: Json) -> None:
    assert set(dag["params"]) == set(form_schema())
    assert all("default" in param for param in dag["params"].values())
    assert all("default" in field for field in form_schema().values()), "nothing has to be given"
    assert dag["schedule"] == "None"


def test_no_run_begins_past_the_door_by_a_backfill_or_as_an_asset_that_is_made(dag: Json) -> None:
    assert dag["kinds"] == ["manual", "operator_triggered", "scheduled"]


def test_report_comes_whatever_became_of_the_batches(dag: Json) -> None:
    assert dag["tasks"]["report"]["trigger_rule"] == "all_done"
    assert all(task["retries"] >= 3 for task in dag["tasks"].values())
