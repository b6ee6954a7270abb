"""docker/compose.yaml and the configuration template: parsed, complete, and free of secrets."""

from __future__ import annotations

import base64
import configparser
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from avatarlab_ops.embedded.airflow import Site, render_config
from avatarlab_ops.graph import QUEUES

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker" / "compose.yaml"
AIRFLOW = {"airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"}
WORKERS = {"worker-cpu", "worker-gpu"}


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text()))


@pytest.fixture(scope="module")
def services(composed: dict[str, Any]) -> dict[str, Any]:
    return dict(composed["services"])


def test_every_part_is_there(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "mongo", "minio", "broker", "init", "proxy"} | AIRFLOW | WORKERS


def test_every_server_tells_its_health(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"init"}


def test_airflow_waits_for_stores_and_init(services: dict[str, Any]) -> None:
    for name in AIRFLOW | WORKERS:
        assert services[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}


def test_every_queue_has_workers_and_one_lease(services: dict[str, Any]) -> None:
    served = [services[name]["command"][4].split(",") for name in sorted(WORKERS)]
    assert sorted(queue for some in served for queue in some) == sorted(QUEUES)
    homes = {volume.partition(":")[0] for name in WORKERS for volume in services[name]["volumes"]}
    assert "state" in homes, "workers of one machine must share the devices' lease"


def test_images_are_pinned(services: dict[str, Any]) -> None:
    for name, service in services.items():
        image = service.get("image", "")
        assert ":" in image, f"{name}: {image} names no version"
        assert not image.endswith(":latest"), name


def test_only_the_proxy_is_reachable_and_it_keeps_the_inside_in(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"proxy"}
    assert composed["networks"]["inside"] == {"internal": True}
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    assert outside == {"proxy", "airflow-apiserver"}
    proxied = (ROOT / "docker" / "Caddyfile").read_text()
    assert "path /execution /execution/*\n\trespond @inside 404" in proxied
    assert set(re.findall(r"reverse_proxy (\S+)", proxied)) == {"airflow-apiserver:8080", "minio:9000"}


def test_every_part_is_confined(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name


def test_gpus_go_to_the_gpu_worker_alone() -> None:
    changed = yaml.safe_load((ROOT / "docker" / "compose.gpu.yaml").read_text())["services"]
    assert set(changed) == {"worker-gpu"}
    [device] = changed["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_secrets_are_files_that_are_made_once(composed: dict[str, Any], tmp_path: Path) -> None:
    maker = runpy.run_path(str(ROOT / "docker" / "make_secrets.py"))["main"]
    maker(tmp_path / "secrets")
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {f"./secrets/{name}" for name in made} == {one["file"] for one in composed["secrets"].values()}
    assert len(set(made.values())) == len(made)
    maker(tmp_path / "secrets")
    assert made == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    used = {secret for service in composed["services"].values() for secret in service.get("secrets", ())}
    assert used == set(made)
    for name, service in composed["services"].items():
        values = service.get("environment", {})
        told = [key for key in values if re.search("PASSWORD$|SECRET|KEY", key)]
        assert not told, f"{name} is given {told} where `docker inspect` shows them"


def test_parts_get_their_secrets_whole(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    runpy.run_path(str(ROOT / "docker" / "make_secrets.py"))["main"](folder)
    asked = "import json, os; print(json.dumps(dict(os.environ)))"
    done = subprocess.run(
        ["bash", str(ROOT / "docker" / "entrypoint.sh"), sys.executable, "-c", asked],
        env={"SECRETS": str(folder), "AVATARLAB_S3_ENDPOINT": "http://minio:9000", "PATH": os.defpath},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    known = json.loads(done.stdout)
    minio = json.loads(known["AIRFLOW_CONN_AVATARLAB_S3"])
    assert minio["password"] == known["AVATARLAB_S3_SECRET_KEY"] == (folder / "minio_password").read_text()
    assert urlsplit(known["AVATARLAB_PG_DSN"]).password == (folder / "postgres_password").read_text()
    assert urlsplit(known["AIRFLOW__CELERY__BROKER_URL"]).hostname == "broker"
    assert urlsplit(known["AVATARLAB_MONGO_URI"]).path == "/avatarlab"
    assert len(base64.urlsafe_b64decode(known["AIRFLOW__CORE__FERNET_KEY"])) == 32


def test_every_variable_is_in_the_example() -> None:
    used = set(re.findall(r"[^$]\$\{(\w+)", COMPOSE.read_text()))
    given = set(re.findall(r"^#?\s?(\w+)=", (ROOT / "docker" / ".env.example").read_text(), re.MULTILINE))
    assert used == given


def test_docker_reads_the_file() -> None:
    if not shutil.which("docker"):
        pytest.skip("no docker client here")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("this docker client has no compose")
    filled = ROOT / "docker" / ".env.example"
    done = subprocess.run(
        ["docker", "compose", "--file", str(COMPOSE), "--env-file", str(filled), "config", "--quiet"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_dockerfile_runs_as_an_ordinary_user_and_copies_no_secret() -> None:
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
    assert not [line for line in lines if re.search(r"(PASSWORD|SECRET)\w*=\S", line)]


def test_template_renders_to_a_configuration_without_secrets(tmp_path: Path) -> None:
    assert "executor = CeleryExecutor" in render_config(Site(tmp_path, "127.0.0.1", 8123, workers=2))
    text = render_config(Site(tmp_path, "127.0.0.1", 8123))
    config = configparser.RawConfigParser()
    config.read_string(text)
    assert config["core"]["executor"] == "LocalExecutor"
    assert config["core"]["execution_api_server_url"] == "http://127.0.0.1:8123/execution/"
    assert "$" not in text
    keys = [key for section in config for key in config[section]]
    assert not [key for key in keys if re.search("fernet|secret|sql_alchemy_conn$|password$", key)]
