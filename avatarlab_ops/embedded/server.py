"""What PostgreSQL, MongoDB and the S3 store share: ports, a password, a start that may be repeated."""

from __future__ import annotations

import logging
import os
import random
import secrets
import shutil
import signal
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar

from avatarlab_ops.embedded.process import Daemon
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.settings import SERVERS_FILE

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
SCARCE_BYTES = 64 << 20  # with less free disk no server is started anew: that would only kill it
START_S = 60.0  # a cold start on a slow disk; usual is 1 to 4 s
POLL_S = 0.1
ATTEMPTS = 3  # a port may be taken between the look and the start
# Below Linux's ephemeral range (32768...), so that no outgoing connection sits on a port between two starts.
PORTS = range(15_000, 32_000)
MARKS = (SERVERS_FILE, "supervisor.lock")  # what a state folder holds once anything was started in it
# What may be in one before, or where the environment configures every store.
BEFORE = {"models", "work", "devices", "signing", "run", "logs", "airflow", "lost+found"}


class NotReadyError(Exception):
    """The server runs but does not answer as it should yet."""


class Server(ABC):
    """One embedded server; `state` is its part of servers.json: {"ports": {name: port}, "password": str}."""

    name: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_s: ClassVar[float] = 30.0
    free_share: ClassVar[float] = 0.0  # of the whole disk: with less free space it takes no writes

    def __init__(self, home: Path, ports: Mapping[str, int], password: str) -> None:
        self.home = home
        self.folder = home / self.name
        self.ports = dict(ports)
        self.password = password
        lock, log = home / "run" / f"{self.name}.lock", home / "logs" / f"{self.name}.log"
        self.daemon = Daemon(self.name, lock, log)

    @classmethod
    def lack(cls, home: Path) -> str:
        """What the disk of `home` lacks for this server to be started and to write; "" when nothing."""
        disk = shutil.disk_usage(home)
        needed = max(SCARCE_BYTES, int(disk.total * cls.free_share))
        if not disk.total or disk.free >= needed:  # some file systems tell no size
            return ""
        return f"{disk.free >> 20} MB free under {home}, {needed >> 20} MB are needed; free some space"

    @property
    @abstractmethod
    def data(self) -> Path:
        """Data folder."""

    @abstractmethod
    def addresses(self) -> dict[str, str]:
        """Fields of Settings that lead to this server."""

    @abstractmethod
    def prepare(self) -> None:
        """Write configuration and create the data folder; may be repeated, also after it was cut short."""

    @abstractmethod
    def command(self) -> tuple[list[str], dict[str, str]]:
        """Arguments and environment of the server process."""

    @abstractmethod
    def provision(self) -> None:
        """Create missing users, databases, buckets. Raises NotReadyError until the server answers."""

    def ensure(self) -> None:
        """Leave the server running and provisioned: adopted when it already is, else (re)started.

        On a disk that lacks space one that runs is adopted as it is: what it holds can still be read.
        Raises TransientError with what the disk lacks, or with the end of the log, when it will not start.
        """
        lack = self.lack(self.home)
        if self.daemon.pid() is not None and (lack or self._await_ready()):
            return
        if lack:
            raise TransientError(f"{self.name} is not started: {lack}")
        log.info("%s %s; it is started", self.name, "is silent" if self.daemon.pid() else "does not run")
        self.stop()  # also clears what a killed server left: PostgreSQL's backends hold its port for a moment
        for _ in range(ATTEMPTS):
            self._leave_taken_ports()
            if self._start():
                return
            self.stop()
        tail = self.daemon.log_tail()
        raise TransientError(f"{self.name} did not start; the end of {self.daemon.log}:\n{tail}")

    def stop(self) -> None:
        """Stop the server cleanly, by force when it does not obey; does nothing when it does not run."""
        self.daemon.stop(self.stop_signal, self.stop_s)

    def _leave_taken_ports(self) -> None:
        """Other ports for those that somebody holds, and for those alone: clients know this address."""
        taken = tuple(name for name in self.ports if self._is_taken(name))
        self.ports |= free_ports(taken, besides=self.ports.values())

    def _is_taken(self, name: str) -> bool:
        """Whether somebody holds the port of this name; asked while the server does not run."""
        return not port_is_free(self.ports[name])

    def _start(self) -> bool:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.prepare()
        argv, env = self.command()
        self.daemon.start(argv, cwd=self.folder, env={**base_environment(), **env})
        return self._await_ready()

    def _await_ready(self) -> bool:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                self.provision()
            except NotReadyError:
                if self.daemon.pid() is None:
                    return False
                time.sleep(POLL_S)
            else:
                return True
        return False


def base_environment() -> dict[str, str]:
    """What a server may know of its starter's environment: no secrets, no proxy, no locale surprises."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC"}


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(names: tuple[str, ...], besides: Collection[int] = ()) -> dict[str, int]:
    """A free loopback port for each name, none of those that are spoken for."""
    candidates = [port for port in random.SystemRandom().sample(PORTS, len(PORTS)) if port not in besides]
    ports = [port for port, _ in zip((p for p in candidates if port_is_free(p)), names, strict=False)]
    if len(ports) < len(names):
        raise TransientError(f"fewer than {len(names)} free loopback ports in {PORTS.start}-{PORTS.stop}")
    return dict(zip(names, ports, strict=True))


def new_password() -> str:
    """A password of 192 random bits, safe inside an address."""
    return secrets.token_hex(24)


def private_folder(path: Path) -> None:
    """Create a folder that only its owner may enter; an older one is closed to others."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def private_home(home: Path) -> None:
    """Make the state folder one that only its owner may enter.

    Raises InputError for a folder that others may enter and that holds what is not ours, such as /tmp.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not home.stat().st_mode & 0o077:
        return
    found = {entry.name for entry in home.iterdir()}
    if found - BEFORE and found.isdisjoint(MARKS):
        raise InputError(
            f"{home} holds other files, and others may enter it: let AVATARLAB_HOME name an empty folder, "
            "or close it (chmod 700)"
        )
    home.chmod(0o700)


def write_private(path: Path, content: str) -> None:
    """Replace a file by new content in one step, readable by its owner only.

    Not `files.replacing`: the draft's name is known, so that the next write takes away what a kill has left.
    """
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def missing_program(what: str, package: str, variable: str) -> InputError:
    """The error for a server program that is not installed."""
    return InputError(f"{what} is not installed: run `make setup` (package {package}), or set {variable}")
