"""docker/kubernetes/values.yaml: queues, pools, options are the product's; it holds no secret.

The chart is not here: `helm template` holds the values to its schema (docs/operations.md, "Kubernetes").
"""

from __future__ import annotations

import configparser
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import yaml
from sqlalchemy import make_url

from avatarlab_ops.cli import main
from avatarlab_ops.embedded.airflow import Site, render_config
from avatarlab_ops.engines.device import SLOT_BYTES
from avatarlab_ops.environment import Environment
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.places import QUEUES
from avatarlab_ops.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
# The compose file's names of the parts, and the values' sections of the same.
PARTS = {
    "airflow-apiserver": "apiServer",
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dagProcessor",
    "airflow-triggerer": "triggerer",
}
# What differs by place: where things lie, how many there are, who listens where.
OF_THE_PLACE = {
    ("core", "dags_folder"), ("core", "plugins_folder"), ("core", "parallelism"), ("core", "executor"),
    ("core", "simple_auth_manager_passwords_file"), ("core", "execution_api_server_url"),
    ("api", "host"), ("api", "port"), ("api", "base_url"),
    ("logging", "base_log_folder"), ("logging", "dag_processor_child_process_log_directory"),
}  # fmt: skip


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return dict(yaml.safe_load((DOCKER / "kubernetes" / "values.yaml").read_text()))


@pytest.fixture(scope="module")
def sets(values: dict[str, Any]) -> list[dict[str, Any]]:
    return list(values["workers"]["celery"]["sets"])


def at_once(workers: dict[str, Any]) -> int:
    """Tasks that one worker of the set runs at once."""
    told = {one["name"]: one["value"] for one in workers["env"]}
    return int(told["AIRFLOW__CELERY__WORKER_CONCURRENCY"])


def leaves(value: Any, *way: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that is no mapping or list, and the keys that lead to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, *way, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, *way)
    else:
        yield way, value


def test_tables_are_migrated_before_an_upgrade_exchanges_the_parts(values: dict[str, Any]) -> None:
    """The chart's own hook (`useHelmHooks`) is post-upgrade, and wins over `jobAnnotations`."""
    job = values["migrateDatabaseJob"]
    assert not job["useHelmHooks"]
    hook = job["jobAnnotations"]
    # At an installation nothing is there before, also not what the job mounts.
    assert hook["helm.sh/hook"].split(",") == ["post-install", "pre-upgrade"]
    assert "before-hook-creation" in hook["helm.sh/hook-delete-policy"].split(","), "a job cannot be changed"
    ours, airflows = (job["args"][-1].index(step) for step in ("prepare_stores", "airflow db migrate"))
    assert ours < airflows, "for Airflow's tables all parts wait, so they are the last"


def test_drivers_of_airflows_database_take_the_addresses_that_the_docs_tell() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    asked = {"psycopg": psycopg.connect, "asyncpg": asyncpg.connect}
    told = re.findall(r"`(postgresql[^`]+/airflow\?[^`]+)`", text)
    for address in told:
        url = make_url(address.replace("PORT", "5432"))
        dialect = url.get_dialect()()
        args, options = dialect.create_connect_args(url)
        driver = asked.pop(dialect.driver)
        if dialect.driver == "asyncpg":
            inspect.signature(driver).bind(*args, **options)
        assert {"ssl", "sslmode"} & options.keys()
    assert not asked, "one for each driver: Airflow makes the second of the first, unless it is told"


def test_each_queue_has_its_set_of_workers(values: dict[str, Any], sets: list[dict[str, Any]]) -> None:
    assert not values["workers"]["celery"]["enableDefault"], "nobody asks for Celery's queue `default`"
    assert [one["queue"] for one in sets] == list(QUEUES)
    for workers in sets:
        assert f"--queues {workers['queue']} " in workers["args"][-1], (
            "a set serves the queue it is scaled by"
        )
        assert re.fullmatch("[a-z0-9-]+", workers["name"]), "names of objects of Kubernetes"


def test_keda_has_a_worker_for_as_many_tasks_as_one_runs(
    sets: list[dict[str, Any]], servers: Settings
) -> None:
    """The queries themselves, by PostgreSQL: only tasks of the set's queue that wait or run count."""
    with psycopg.connect(servers.pg_dsn) as connection:
        connection.execute("CREATE TEMP TABLE task_instance (queue text, state text)")
        rows = [(queue, state) for queue in QUEUES for state in ("success", "deferred", "scheduled", None)]
        rows += [(queue, state) for queue in QUEUES for state in ("queued", "queued", "running", "running")]
        rows += [("cpu", "queued"), ("gpu", "running")]
        connection.cursor().executemany("INSERT INTO task_instance VALUES (%s, %s)", rows)
        for workers in sets:
            found = connection.execute(workers["keda"]["query"]).fetchone()
            tasks = 5 if workers["queue"] in ("cpu", "gpu") else 4
            assert found is not None
            assert found[0] == -(-tasks // at_once(workers)), workers["name"]


def test_pools_have_a_place_for_each_task_that_the_workers_run(
    values: dict[str, Any], sets: list[dict[str, Any]]
) -> None:
    places = dict.fromkeys(("cpu", "gpu"), 0)
    for workers in sets:
        pool = "cpu" if workers["queue"] == "cpu" else "gpu"
        places[pool] += workers["keda"]["maxReplicaCount"] * at_once(workers)
    told = re.findall(r"airflow pools set (\w+) (\d+) ", values["migrateDatabaseJob"]["args"][-1])
    assert {name: int(slots) for name, slots in told} == places
    assert values["config"]["core"]["parallelism"] == sum(places.values())
    [cpu] = [workers for workers in sets if workers["queue"] == "cpu"]
    assert values["config"]["celery"]["worker_concurrency"] == at_once(cpu)


def test_gpus_go_to_the_workers_of_their_queues(sets: list[dict[str, Any]]) -> None:
    for workers in sets:
        gpus = workers["resources"]["limits"].get("nvidia.com/gpu", 0)
        assert bool(gpus) == (workers["queue"] != "cpu"), workers["name"]
        if gpus:
            assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in workers[
                "tolerations"
            ]
            assert workers["nodeSelector"]
            slots = 2 if workers["queue"] == "gpu_large" else 1
            assert at_once(workers) * slots * SLOT_BYTES <= 24e9, "more than its GPU has slots for"


def test_airflow_is_configured_as_ever(values: dict[str, Any], tmp_path: Path) -> None:
    template = configparser.RawConfigParser()
    template.read_string(render_config(Site(tmp_path, "127.0.0.1", 8123, workers=2)))
    for section in template.sections():
        for option, value in template[section].items():
            if (section, option) not in OF_THE_PLACE:
                assert str(values["config"][section][option]) == value, f"[{section}] {option}"
    home = values["airflowHome"]
    dockerfile = (DOCKER / "Dockerfile").read_text()
    assert f"AIRFLOW_HOME={home} " in dockerfile, "the chart mounts airflow.cfg where the image looks for it"
    assert values["config"]["logging"]["base_log_folder"] == f"{home}/logs", "where the chart mounts the logs"
    assert not values["airflowLocalSettings"], "the chart's would hide config/airflow_local_settings.py"


def test_the_image_is_this_version_and_has_what_the_charts_probes_call(values: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert values["defaultAirflowTag"] == project["version"]
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    assert values["airflowVersion"] in {
        one["version"] for one in locked if one["name"] == "apache-airflow-core"
    }
    [login] = values["apiServer"]["extraInitContainers"]
    assert login["image"] == f"{values['defaultAirflowRepository']}:{values['defaultAirflowTag']}"
    dockerfile = (DOCKER / "Dockerfile").read_text()
    assert "ln -s /opt/avatarlab/entrypoint.sh /entrypoint\n" in dockerfile
    assert f"USER {values['uid']}\n" in dockerfile
    for part in ("scheduler", "dagProcessor", "triggerer"):
        assert not values[part]["logGroomerSidecar"]["enabled"], "/clean-logs is of the official image"


def given(values: dict[str, Any], part: str | None) -> set[str]:
    """Variables that a part is given: by name, by Secret, by the chart, or as options of airflow.cfg."""
    switched_off = {name for name, on in values["enableBuiltInSecretEnvVars"].items() if not on}
    chart = {"AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"}
    chart |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CELERY__BROKER_URL"}
    options = {
        f"AIRFLOW__{section}__{option}".upper()
        for section, all_ in values["config"].items()
        for option in all_
    }
    named = {one["name"] for one in values["env"]} | {one["envName"] for one in values["secret"]}
    own = {one["name"] for one in values[part].get("env", ())} if part else set()
    return (chart - switched_off) | options | named | own


def test_each_part_gets_what_compose_gives_it(values: dict[str, Any], sets: list[dict[str, Any]]) -> None:
    composed = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    entrypoint = (DOCKER / "entrypoint.sh").read_text()
    everywhere = set(re.findall(r"(?:^export| )\s*([A-Z][A-Z0-9_]+)=", entrypoint, re.MULTILINE))
    # The chart's executor; results of Celery are in Airflow's database unless told otherwise; its own probes.
    everywhere -= {"AIRFLOW__CELERY__RESULT_BACKEND"}
    # A pod's /tmp is the node's disk, and needs no other TMPDIR.
    elsewhere = {"AIRFLOW__CORE__EXECUTOR", "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK", "TMPDIR"}
    keys = dict(re.findall(r"^give (\w+) (\w+)$", entrypoint, re.MULTILINE))
    assert len(everywhere) > 8, everywhere
    for service, part in (PARTS | {"worker-cpu": ""}).items():
        asked = everywhere | (composed[service]["environment"].keys() - elsewhere)
        has = given(values, part or None)
        assert asked <= has, f"{service} lacks {sorted(asked - has)}"
        wanted = {name for name, secret in keys.items() if secret in composed[service]["secrets"]}
        assert has & keys.keys() == wanted, service
    for workers in sets:
        assert not {one["name"] for one in workers["env"]} & keys.keys()
    assert values["executor"] == "CeleryExecutor"


def test_every_variable_is_one_that_the_product_reads(values: dict[str, Any]) -> None:
    text = (DOCKER / "kubernetes" / "values.yaml").read_text()
    known = {f"AVATARLAB_{field.upper()}" for field in Environment.model_fields}
    assert set(re.findall(r"\bAVATARLAB_[A-Z0-9_]+", text)) <= known
    connections = set(re.findall(r"AIRFLOW_CONN_\w+", (DOCKER / "entrypoint.sh").read_text()))
    assert set(re.findall(r"AIRFLOW_CONN_\w+", text)) == connections


def test_no_secret_stands_in_the_values(values: dict[str, Any]) -> None:
    ways = dict(leaves(values))
    holding = {
        "password",
        "pass",
        "fernetKey",
        "jwtSecret",
        "apiSecretKey",
        "brokerUrl",
        "metadataConnection",
    }
    assert not [way for way in ways if holding & set(way) or way[0] == "extraSecrets"]
    assert not [value for value in ways.values() if re.search("://[^/]*@", str(value))]
    told = [one for part in [values, *map(values.get, PARTS.values())] for one in (part or {}).get("env", ())]
    names = re.compile("PASSWORD|SECRET|TOKEN|DSN|URI$|FERNET")
    assert not [one["name"] for one in told if names.search(one["name"]) and "valueFrom" not in one]


def test_the_docs_tell_which_secrets_and_volumes_there_must_be(values: dict[str, Any]) -> None:
    section = (
        (ROOT / "docs" / "operations.md").read_text().partition("## Kubernetes")[2].partition("\n## ")[0]
    )
    references = {"secretName", "metadataSecretName", "brokerUrlSecretName", "claimName", "existingClaim"}
    references |= {"fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName"}
    named = {value for way, value in leaves(values) if way[-1] in references}
    keys = {
        value
        for way, value in leaves(values)
        if way[-1] == "secretKey" or way[-2:] == ("secretKeyRef", "key")
    }
    assert len(named) > 6
    assert {name for name in named | keys if f"`{name}`" not in section} == set()


def test_every_part_is_confined(values: dict[str, Any]) -> None:
    confined = values["securityContexts"]["containers"]
    [login] = values["apiServer"]["extraInitContainers"]
    assert confined == login["securityContext"]
    assert confined["readOnlyRootFilesystem"]
    assert not confined["allowPrivilegeEscalation"]
    assert confined["capabilities"] == {"drop": ["ALL"]}
    assert values["securityContexts"]["pod"]["runAsNonRoot"]
    budgets = [*PARTS.values(), *values["workers"]["celery"]["sets"]]
    for part in budgets:
        section = values[part] if isinstance(part, str) else part
        assert section["podDisruptionBudget"]["enabled"]
        assert {"requests", "limits"} <= section["resources"].keys()
    [inside] = values["ingress"]["apiServer"]["precedingPaths"]
    assert inside["path"] == "/execution", "the tasks' own API is for the inside"


def test_the_proxy_lets_the_largest_form_of_the_studio_pass(values: dict[str, Any]) -> None:
    told = values["ingress"]["apiServer"]["annotations"]
    most = told["nginx.ingress.kubernetes.io/proxy-body-size"].removesuffix("m")
    assert int(most) << 20 >= Limits().max_bytes + (64 << 10)
    assert told["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"


def test_only_who_may_tell_a_callers_address_reaches_the_api_server(values: dict[str, Any]) -> None:
    assert {"name": "FORWARDED_ALLOW_IPS", "value": "*"} in values["apiServer"]["env"]
    assert values["networkPolicies"]["enabled"]
    ingress, parts = values["apiServer"]["networkPolicy"]["ingress"]["from"]
    assert ingress["namespaceSelector"]["matchLabels"], "none would be every namespace"
    asked = parts["podSelector"]["matchLabels"]
    readme = (DOCKER / "kubernetes" / "values.yaml").read_text()
    assert f"--install {asked['release']} " in readme
    assert asked["tier"] == "airflow"


def beside(name: str, kind: str) -> list[dict[str, Any]]:
    """Objects of one kind in a file beside the values."""
    every = yaml.safe_load_all((DOCKER / "kubernetes" / name).read_text())
    return [dict(one) for one in every if one["kind"] == kind]


def check_pod(values: dict[str, Any], pod: dict[str, Any]) -> list[str]:
    """Confined as the chart's parts are, with variables that these have; the words of its command."""
    confined = values["securityContexts"]
    [container] = pod["containers"]
    assert pod["securityContext"] == confined["pod"]
    assert container["securityContext"] == confined["containers"]
    assert not pod["automountServiceAccountToken"]
    assert {"requests", "limits"} <= container["resources"].keys()
    assert container["image"] == f"{values['defaultAirflowRepository']}:{values['defaultAirflowTag']}"
    known = {one["envName"]: (one["secretName"], one["secretKey"]) for one in values["secret"]}
    plain = {one["name"]: one["value"] for one in values["env"] if "value" in one}
    for one in container["env"]:
        if "valueFrom" in one:
            asked = one["valueFrom"]["secretKeyRef"]
            assert (asked["name"], asked["key"]) == known[one["name"]]
        else:
            assert one["value"] == plain[one["name"]]
    stores = {"AVATARLAB_PG_DSN", "AVATARLAB_MONGO_URI", "AVATARLAB_S3_ENDPOINT", "AVATARLAB_S3_ACCESS_KEY"}
    assert stores <= {one["name"] for one in container["env"]}
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert {one["name"] for one in pod["volumes"]} == mounted
    words = list(container["args"])
    assert words.pop(0) == "avatarlab", "through the image's entry point"
    command = main.commands[words[0]]
    command.make_context(words[0], words[1:])  # raises for what the command does not take
    return words


def test_figures_are_served_to_prometheus_alone(values: dict[str, Any]) -> None:
    [deployment], [service], [policy] = (
        beside("metrics.yaml", kind) for kind in ("Deployment", "Service", "NetworkPolicy")
    )
    template = deployment["spec"]["template"]
    words = check_pod(values, template["spec"])
    [port] = template["spec"]["containers"][0]["ports"]
    assert words[:3] == ["metrics", "--serve", str(port["containerPort"])]
    told = template["metadata"]["annotations"]
    assert (told["prometheus.io/scrape"], told["prometheus.io/port"]) == ("true", str(port["containerPort"]))
    labels = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels
    assert policy["spec"]["podSelector"]["matchLabels"] == labels
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert service["metadata"]["labels"]["job"] == "avatarlab", "alerts.yml asks for this job"
    [rule] = policy["spec"]["ingress"]
    assert rule["from"][0]["namespaceSelector"]["matchLabels"], "none would be every namespace"


def test_backups_are_taken_each_day_and_withdrawals_each_minute(values: dict[str, Any]) -> None:
    [claim] = beside("backup.yaml", "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"], "both jobs may run at once"
    jobs = {one["metadata"]["name"]: one["spec"] for one in beside("backup.yaml", "CronJob")}
    folders = set()
    for name, spec in jobs.items():
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        words = check_pod(values, pod)
        assert spec["concurrencyPolicy"] == "Forbid", name
        claims = [
            one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"] if one["name"] == "backup"
        ]
        assert claims == [claim["metadata"]["name"]]
        mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
        assert words[1].startswith(f"{mounts['backup']}/")
        folders.add(words[1])
        each_minute = spec["schedule"] == "* * * * *"
        assert each_minute == ("--withdrawals" in words)
    assert len(jobs) == 2
    assert len(folders) == 1, "withdrawals lie beside the set that they are for"


def test_shared_volumes_are_claims_that_many_machines_may_write(values: dict[str, Any]) -> None:
    claims = list(yaml.safe_load_all((DOCKER / "kubernetes" / "volumes.yaml").read_text()))
    named = {
        one["persistentVolumeClaim"]["claimName"]
        for one in values["volumes"]
        if "persistentVolumeClaim" in one
    }
    named |= {values["logs"]["persistence"]["existingClaim"]}
    assert {one["metadata"]["name"] for one in claims} == named
    assert all(one["spec"]["accessModes"] == ["ReadWriteMany"] for one in claims)
