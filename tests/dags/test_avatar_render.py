"""The DAG file as Airflow sees it: fast to import, light, and exactly the pipeline's graph and contract."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from avatarlab_ops import errors
from avatarlab_ops.canonical import Json
from avatarlab_ops.forms import form_schema

ROOT = Path(__file__).parents[2]
# What a DAG file may load beyond Airflow and pydantic themselves, each of them small.
LIGHT = {"airflow", "avatarlab_ops", "croniter", "dotenv", "packaging", "pydantic", "pydantic_settings"}
GRAPH = {
    "admit": ["face", "matte", "speech"],
    "speech": ["lipsync"],
    "face": ["lipsync"],
    "matte": ["composite"],
    "lipsync": ["composite"],
    "composite": ["publish"],
    "publish": [],
}


def describe(home: Path, module: str = "avatar_render") -> Json:
    """What describe.py prints, from a process that is set up as Airflow's parts are."""
    env = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("dags", "plugins", "")),
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("describe.py")), module],
        env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="session")
def dag(tmp_path_factory: pytest.TempPathFactory) -> Json:
    return describe(tmp_path_factory.mktemp("airflow"))


def beyond(imported: list[str]) -> set[str]:
    """Packages that importing a DAG file loads and that it should not: neither its neighbours nor LIGHT."""
    ours = {path.stem for folder in ("dags", "plugins") for path in (ROOT / folder).glob("*.py")}
    return {name.partition(".")[0] for name in imported} - sys.stdlib_module_names - LIGHT - ours


def test_import_is_light(dag: Json) -> None:
    assert not beyond(dag["imported"])
    assert len(dag["imported"]) < 150, "each module is loaded by every task and every parse"


def test_graph_is_the_pipelines(dag: Json) -> None:
    from avatarlab_ops.graph import STAGES

    assert set(dag["tasks"]) == set(STAGES)
    assert {name: task["downstream"] for name, task in dag["tasks"].items()} == GRAPH


def test_what_is_published_is_an_event_that_other_dags_can_follow(dag: Json) -> None:
    assert {name: task["outlets"] for name, task in dag["tasks"].items() if task["outlets"]} == {
        "publish": ["avatarlab_videos"]
    }


def test_no_run_begins_past_the_door_by_a_backfill_or_as_an_asset_that_is_made(dag: Json) -> None:
    assert dag["kinds"] == ["manual", "operator_triggered", "scheduled"]


def test_graph_gives_every_stage_what_it_reads() -> None:
    from avatarlab_ops import graph

    def upstream(task: str) -> set[str]:
        direct = {name for name, after in GRAPH.items() if task in after}
        return direct.union(*(upstream(name) for name in direct))

    for stage in graph.GRAPH:
        task = stage.within or stage.name
        read = {graph.BY_NAME[source].within or source for source in stage.after}
        assert read <= {task, *upstream(task)}, stage.name


def test_model_stages_queue_for_the_gpu_and_others_for_the_cpu(dag: Json) -> None:
    pools = {name: task["pool"] for name, task in dag["tasks"].items()}
    gpu = {"speech", "matte", "lipsync"}
    assert pools == {name: "gpu" if name in gpu else "cpu" for name in GRAPH}
    queues = {name: task["queue"] for name, task in dag["tasks"].items() if name in gpu}
    assert queues == {"speech": "gpu", "matte": "gpu", "lipsync": "gpu_large"}  # DiffDub holds two slots
    assert {task["pool_slots"] for task in dag["tasks"].values()} == {1}  # memory is the lease's business


def test_many_may_wait_for_a_person_and_what_was_begun_goes_before_what_was_not(dag: Json) -> None:
    assert dag["runs"] >= 256
    assert {task["priority"][0] for task in dag["tasks"].values()} == {"avatarlab_weights.PeopleFirst"}


def test_a_skipped_stage_does_not_skip_what_follows(dag: Json) -> None:
    assert {task["trigger_rule"] for task in dag["tasks"].values()} == {"none_failed"}


def test_publish_links_to_video_and_manifest(dag: Json) -> None:
    assert dag["tasks"]["publish"]["links"] == ["Video", "Manifest"]


def test_params_are_the_contract(dag: Json) -> None:
    form = form_schema()
    assert set(dag["params"]) == set(form)
    for name, schema in form.items():
        param = dag["params"][name]["schema"]
        for key in ("enum", "type", "minimum", "maximum", "maxLength", "title", "section"):
            assert param.get(key) == schema.get(key), f"{name}.{key}"
        assert dag["params"][name]["default"] == schema.get("default", "" if "." in name else None), name


def test_a_run_of_a_narration_without_a_script_is_begun(dag: Json) -> None:
    """Airflow refuses a run whose conf leaves out what has no default, before `admit` sees it."""
    assert dag["unwritten"] == ""


def tree(error: type[errors.AvatarlabError] = errors.AvatarlabError) -> list[type[errors.AvatarlabError]]:
    below = [leaf for child in error.__subclasses__() for leaf in tree(child)]
    return [known for known in (error, *below) if known.__module__ == errors.__name__]


@pytest.mark.parametrize("error", tree())
def test_retries_follow_the_exception_tree(dag: Json, error: type[errors.AvatarlabError]) -> None:
    assert dag["decisions"][error.__name__] == ("retry" if error.retryable else "fail")


def test_defects_fail_at_once_and_unknown_troubles_are_retried(dag: Json) -> None:
    assert dag["decisions"]["TypeError"] == dag["decisions"]["KeyError"] == "fail"
    assert dag["decisions"]["ConnectionError"] == "default"
    assert all(task["retries"] >= 3 for task in dag["tasks"].values())
