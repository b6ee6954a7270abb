"""Where a storm takes place: a site with two Celery workers, its stores behind gates, a disk and a clock.

What a machine does not allow (mounting, compiling) is told, and the faults that need it are left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from kit.running_site import Site, running
from kit.storm import clock as clocks
from kit.storm import gates as gates_
from kit.storm.schedule import WORKERS

from avatarlab_ops.embedded import servers
from avatarlab_ops.embedded.server import free_ports
from avatarlab_ops.settings import SERVERS_FILE, Settings

LEFT_BYTES = (0, 1 << 16, 1 << 20, 4 << 20)  # tried in turn, as others write meanwhile
DISK_BYTES = 6 << 30  # of the file system that holds stores, work folders and logs
ADDRESSES = {"postgres": "pg_dsn", "mongo": "mongo_uri", "s3": "s3_endpoint", "redis": servers.BROKER}
TESTS = Path(__file__).parents[2]


@dataclass(frozen=True)
class Disk:
    """A file system of the storm's own, which can be made as small as what it holds."""

    place: Path

    def fill(self) -> bool:
        """Leave next to nothing free; False where what lies there grew faster than that could be done."""
        return any(self._resize(shutil.disk_usage(self.place).used + left) for left in LEFT_BYTES)

    def free(self) -> None:
        """As large as it was."""
        self._resize(DISK_BYTES)

    def _resize(self, size: int) -> bool:
        command = ["mount", "-o", f"remount,size={size}", str(self.place)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


@dataclass
class Place:
    """All that faults happen to."""

    site: Site  # its settings lead through the gates
    stores: Path  # home of the stores
    direct: Settings  # the stores as they are, for whoever looks on
    gates: gates_.Gates
    disk: Disk | None
    clock: clocks.Clock | None
    lacking: dict[str, str] = field(default_factory=dict)  # kind of fault -> why it cannot be made here


@contextmanager
def standing(folder: Path) -> Iterator[Place]:
    """Everything up, under `folder`; stopped and unmounted at the end."""
    lacking: dict[str, str] = {}
    with ExitStack() as stack:
        disk = stack.enter_context(_disk(folder / "disk"))
        if isinstance(disk, str):
            lacking["full disk"] = disk
        clock = clocks.built(folder)
        if isinstance(clock, str):
            lacking["clock step"] = clock
        stores = folder / "disk" / "stores"
        direct = stack.enter_context(_kept(stores))
        gates = stack.enter_context(gates_.standing({name: _port(stores, name) for name in ADDRESSES}))
        environment = _environment(stores, gates)
        if isinstance(clock, clocks.Clock):
            environment |= clock.environment
        site = stack.enter_context(running(folder / "disk" / "home", len(WORKERS), **environment))
        yield Place(
            site, stores, direct, gates, disk if isinstance(disk, Disk) else None,
            clock if isinstance(clock, clocks.Clock) else None, lacking,
        )  # fmt: skip


@contextmanager
def _disk(place: Path) -> Iterator[Disk | str]:
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "none", str(place)]
    if os.geteuid() != 0:
        yield "only root may mount a file system"
    elif subprocess.run(mount, check=False, capture_output=True).returncode:
        yield "this container may not mount"
    else:
        try:
            yield Disk(place)
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def _kept(home: Path) -> Iterator[Settings]:
    """The stores, kept running by a process of their own."""
    settings = servers.ensure(home, broker=True)
    command = [sys.executable, "-m", "kit.storm.keeper", str(home)]
    with (home / "logs" / "keeper.log").open("ab") as log:
        keeper = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": str(TESTS)}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield settings
    finally:
        keeper.terminate()
        keeper.wait(120)
        servers.stop(home)


def _port(home: Path, name: str) -> Callable[[], int]:
    """The port that a store listens on; it may change when the store is started anew."""

    def port() -> int:
        return int(urlsplit(_known(home)[name]).port or 0)

    return port


def _known(home: Path) -> dict[str, str]:
    stored = json.loads((home / SERVERS_FILE).read_text())
    return {name: str(stored[field]) for name, field in ADDRESSES.items()}


def _environment(home: Path, gates: gates_.Gates) -> dict[str, str]:
    """The stores' addresses as the site gets them: each leads through its gate."""
    stored = json.loads((home / SERVERS_FILE).read_text())
    through = {name: _through(address, gates.each[name].port) for name, address in _known(home).items()}
    return {
        "AVATARLAB_PG_DSN": through["postgres"],
        # A client that knows of the replica set would go to the member's own address, past the gate.
        "AVATARLAB_MONGO_URI": through["mongo"].replace("replicaSet=rs0", "directConnection=true"),
        "AVATARLAB_S3_ENDPOINT": through["s3"],
        "AVATARLAB_S3_ACCESS_KEY": stored["s3_access_key"],
        "AVATARLAB_S3_SECRET_KEY": stored["s3_secret_key"],
        "AVATARLAB_BROKER_URL": through["redis"],
        "AVATARLAB_PORT": str(free_ports(("airflow",))["airflow"]),  # the same after each start
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    }


def _through(address: str, port: int) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}"))
