"""docker/compose.yaml and the configuration template: parsed, complete, and free of secrets."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from avatarlab_ops.embedded.airflow import Site, render_config

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker" / "compose.yaml"
AIRFLOW = {"airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text())["services"])


def test_every_part_is_there(services: dict[str, Any]) -> None:
    assert {"postgres", "mongo", "minio", "init"} | AIRFLOW <= set(services)


def test_every_server_tells_its_health(services: dict[str, Any]) -> None:
    without = [name for name, service in services.items() if "healthcheck" not in service]
    assert set(without) <= {"init", "mongo-init"}


def test_airflow_waits_for_stores_and_init(services: dict[str, Any]) -> None:
    for name in AIRFLOW:
        assert services[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}


def test_images_are_pinned_and_stores_stay_inside(services: dict[str, Any]) -> None:
    for name, service in services.items():
        image = service.get("image", "")
        assert ":" in image, f"{name}: {image} names no version"
        assert not image.endswith(":latest"), name
    for name in ("postgres", "mongo"):
        assert "ports" not in services[name], f"{name} would be reachable from outside"


def test_no_secret_has_a_value_in_the_file() -> None:
    text = COMPOSE.read_text()
    for name in re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|KEY)\w*)([^}]*)\}", text):
        assert name[1].startswith(":?"), f"{name[0]} must be required, without a default"
    example = (ROOT / "docker" / ".env.example").read_text()
    for line in example.splitlines():
        if re.match(r"\w*(PASSWORD|SECRET|KEY)\w*=", line):
            assert line.endswith("="), f"{line.partition('=')[0]} has a value in .env.example"


def test_every_variable_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    given = set(re.findall(r"^#?\s?(\w+)=", (ROOT / "docker" / ".env.example").read_text(), re.MULTILINE))
    assert used <= given


def test_docker_reads_the_file(tmp_path: Path) -> None:
    if not shutil.which("docker"):
        pytest.skip("no docker client here")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("this docker client has no compose")
    example = (ROOT / "docker" / ".env.example").read_text()
    filled = tmp_path / "env"
    filled.write_text(re.sub(r"=$", "=for-the-test", example, flags=re.MULTILINE))
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
