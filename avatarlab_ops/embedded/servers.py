"""The embedded servers as one: start, stop, look. What the environment configures is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatarlab_ops import environment, settings
from avatarlab_ops.embedded.mongo import Mongo
from avatarlab_ops.embedded.postgres import Postgres
from avatarlab_ops.embedded.process import exclusive
from avatarlab_ops.embedded.redis import Redis
from avatarlab_ops.embedded.s3 import ObjectStore
from avatarlab_ops.embedded.server import (
    NotReadyError,
    Server,
    free_ports,
    new_password,
    private_folder,
    private_home,
    write_private,
)
from avatarlab_ops.errors import InputError
from avatarlab_ops.settings import SERVERS_FILE, Settings
from avatarlab_ops.stores.objects import objects

KINDS: tuple[type[Server], ...] = (Postgres, Mongo, ObjectStore)
EVERY: tuple[type[Server], ...] = (*KINDS, Redis)
BROKER = "broker_url"  # key of servers.json


@dataclass(frozen=True)
class ServerStatus:
    """One store as it is now."""

    name: str  # postgres | mongo | s3 | redis
    state: str  # running | silent (does not answer) | stopped | external (configured by the environment)
    address: str  # without secrets; "" when never started
    pid: int | None
    log: Path | None
    detail: str = ""


def ensure(home: Path, *, broker: bool = False) -> Settings:
    """Leave every store that the environment does not configure running; safe to call at any time, by anyone.

    `broker`: and the Celery workers' Redis, unless AVATARLAB_BROKER_URL names one.
    Running servers are adopted, dead or silent ones restarted on their old data and ports (new ports when
    those are taken). The servers outlive the caller. Returns their addresses merged with the environment's.
    Raises TransientError when a server will not start, InputError when passwords of existing data are lost.
    """
    home = home.absolute()
    kinds = [kind for kind in KINDS if kind.name not in settings.external()]
    if broker and not environment.read().broker_url:
        kinds.append(Redis)
    if not kinds:
        return Settings.from_env(home)  # the home may be a mount whose mode only another user may change
    with _held(home) as stored:
        wanted = [_server(kind, home, stored) for kind in kinds]
        # Passwords and ports are on disk before any server knows them.
        _remember(home, stored, wanted)
        try:
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda server: server.ensure(), wanted))
        finally:
            _remember(home, stored, wanted)
    found = Settings.from_env(home)
    if any(server.name == ObjectStore.name for server in wanted):
        objects(found).ensure_buckets()
    return found


def lack(home: Path) -> str:
    """What the disk of this home lacks for our stores to take writes; "" when nothing."""
    return (Server if ObjectStore.name in settings.external() else ObjectStore).lack(home)


def broker_url(home: Path) -> str:
    """The workers' broker: AVATARLAB_BROKER_URL, else our own Redis, which `ensure` has started."""
    given = environment.read().broker_url
    return given.get_secret_value() if given else str(settings.read_servers(home)[BROKER])


def stop(home: Path) -> bool:
    """Stop the embedded servers of this home, data kept; False where none runs."""
    home = home.absolute()
    if not (home / SERVERS_FILE).exists():
        return False
    with _held(home) as stored:
        servers = [_server(kind, home, stored) for kind in EVERY if kind.name in stored]
        ran = any(server.daemon.pid() is not None for server in servers)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.stop(), servers))
        return ran


def status(home: Path) -> list[ServerStatus]:
    """State of each store, in the order postgres, mongo, s3; and Redis where it runs."""
    home = home.absolute()
    stored = settings.read_servers(home)
    found = [_status(kind, home, stored) for kind in KINDS]
    broker = _server(Redis, home, stored) if Redis.name in stored else None
    return [*found, _look(broker, BROKER)] if broker and broker.daemon.pid() is not None else found


def _status(kind: type[Server], home: Path, stored: dict[str, Any]) -> ServerStatus:
    external = settings.configured()
    address_field = next(iter(settings.VARIABLES[kind.name].values()))
    if address_field in external:
        return ServerStatus(kind.name, "external", settings.redact(external[address_field]), None, None)
    if kind.name not in stored:
        return ServerStatus(kind.name, "stopped", "", None, None, "never started: run `avatarlab up`")
    return _look(_server(kind, home, stored), address_field)


def _look(server: Server, address_field: str) -> ServerStatus:
    """One of our own servers as it is now."""
    address = settings.redact(server.addresses()[address_field])
    pid, log = server.daemon.pid(), server.daemon.log
    if pid is None:
        return ServerStatus(server.name, "stopped", address, None, log, "run `avatarlab up`")
    try:
        server.provision()
    except NotReadyError as reason:
        return ServerStatus(server.name, "silent", address, pid, log, str(reason))
    return ServerStatus(server.name, "running", address, pid, log)


@contextmanager
def _held(home: Path) -> Iterator[dict[str, Any]]:
    """The content of servers.json, while nobody else starts or stops the servers of this home."""
    private_home(home)
    for folder in (home / "run", home / "logs"):
        private_folder(folder)
    with exclusive(home / "run" / "servers.lock"):
        yield settings.read_servers(home)


def _server(kind: type[Server], home: Path, stored: dict[str, Any]) -> Server:
    """The server with its stored ports and password, or with new ones when it has no data yet."""
    known = stored.get(kind.name)
    if known:
        return kind(home, known["ports"], known["password"])
    server = kind(home, free_ports(kind.port_names), new_password())
    if server.data.exists():
        raise InputError(
            f"{server.data} exists, but {home / SERVERS_FILE} does not know its password: "
            f"restore that file, or remove {server.folder} to begin anew"
        )
    return server


def _remember(home: Path, stored: dict[str, Any], servers: list[Server]) -> None:
    """Write ports, passwords and addresses of the servers to servers.json."""
    for server in servers:
        stored[server.name] = {"ports": server.ports, "password": server.password}
        stored.update(server.addresses())
    if stored != settings.read_servers(home):  # a full disk must not stop who only looks
        write_private(home / SERVERS_FILE, json.dumps(stored, indent=1))
