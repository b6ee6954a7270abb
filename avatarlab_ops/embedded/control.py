"""What `avatarlab up` and `down` do: choose a port, start or end the supervisor, wait for its word."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from avatarlab_ops import environment
from avatarlab_ops.embedded import airflow, servers
from avatarlab_ops.embedded.server import private_folder, private_home
from avatarlab_ops.embedded.sessions import members, sweep
from avatarlab_ops.embedded.supervisor import START_S, STOP_S, State, held, last_state, leaders, read_state
from avatarlab_ops.errors import InputError, TransientError

SUPERVISOR = "avatarlab_ops.embedded.supervisor"
DYING_S = 0.3  # for which one that was killed may still hold its lock and look alive; usual is .01 s
TELLING_S = 10.0  # within which a supervisor that has its lock writes who it is; usual is 0.1 s

# The supervisor outlives its starter; kept so that a long-lived starter reaps it and is not warned about it.
_started: list[subprocess.Popen[bytes]] = []


def running(home: Path) -> State | None:
    """The running supervisor's state; None when none runs."""
    with held(home, fcntl.LOCK_SH) as free:
        if free:
            return None
    state = last_state(home)
    return state if state and state.lives() else State(0, "")  # it has not written its own yet


def port_owner(port: int) -> str:
    """Name and pid of who listens on a TCP port, as far as this user may know."""
    for connection in psutil.net_connections("tcp"):
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.pid
            and connection.laddr
            and connection.laddr.port == port
        ):
            return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another process"


def _free_port(host: str, port: int) -> int | None:
    """`port`, or for 0 any that is free; None where somebody listens on it.

    Raises InputError where Airflow could never listen: on an unknown host, or a port not for this user.
    """
    try:
        # The one of IPv4 where a name has both.
        family, *_, place = min(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            return int(probe.getsockname()[1])
    except (OSError, UnicodeError) as error:  # the latter: no name that a host could have
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return None
        reason = error.strerror if isinstance(error, OSError) else "no name of a host"
        raise InputError(
            f"Airflow cannot listen on {host}, port {port}: {reason}; set AVATARLAB_HOST and AVATARLAB_PORT"
        ) from error


def choose_site(home: Path) -> tuple[airflow.Site, str]:
    """Where Airflow listens: $AVATARLAB_HOST and $AVATARLAB_PORT, else loopback and the last port, or 8080.

    Returns the site and a note when the usual port was taken. Raises InputError when a named port is in use,
    or the host cannot be listened on.
    """
    known = environment.read()
    last = read_state(home).get("address", "").rpartition(":")[2]
    port = known.port if known.port is not None else int(last) if last.isdigit() else 8080
    free, note = _free_port(known.host, port), ""
    if free is None:
        taken = f"port {port} is in use by {port_owner(port)}"
        if known.port is not None:
            raise InputError(f"{taken}; stop it or set AVATARLAB_PORT")
        free = _free_port(known.host, 0)
        note = f"{taken}; Airflow takes {free}"
    return airflow.Site(home, known.host, free or 0), note


def up(home: Path, say: Callable[[str], None], workers: int | None = None) -> State:
    """Start the supervisor unless it runs, and return when every part is healthy.

    `workers`: how many Celery workers run the tasks; 0: the scheduler does; None: as at the last start.
    `say` gets one line for each part that changes. Raises TransientError when a part does not come up,
    InputError when another number of workers runs.
    """
    home = home.resolve()
    before = read_state(home)
    now = _going_on(home)
    if now and now.pid and workers not in (None, now.workers):
        raise InputError(f"{now.workers} workers run, not {workers}: `avatarlab down` first")
    count = before.get("workers", 0) if workers is None else workers
    ending = now is not None and now.phase == "failed"  # its lock is free in a moment
    started = _start(home, count, before) if now is None or ending else None
    return _until_healthy(home, started, say, before)


def _going_on(home: Path) -> State | None:
    """The running supervisor's state, but not of one that was killed a moment ago."""
    end = time.monotonic() + DYING_S
    while (state := running(home)) and time.monotonic() < end:
        time.sleep(0.02)
    return state


def end_left(before: Mapping[str, Any]) -> None:
    """End what a killed supervisor left behind: its parts live on and hold the port that people know."""
    swept = sweep(leaders(before))
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline and any(members(session) for session in swept):
        time.sleep(0.05)


def _start(home: Path, workers: int, before: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    end_left(before)
    site, note = choose_site(home)
    private_home(home)
    private_folder(site.logs)
    with (site.logs / "supervisor.log").open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", SUPERVISOR, str(home), site.host, str(site.port), str(workers), note],
            start_new_session=True, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
        )  # fmt: skip
    _started[:] = [known for known in _started if known.poll() is None] + [process]
    return process


def _until_healthy(
    home: Path, process: subprocess.Popen[bytes] | None, say: Callable[[str], None], before: dict[str, Any]
) -> State:
    """Follow `process`, or whichever supervisor runs; `before`: the state that an earlier one had left."""
    said: dict[str, str] = {}
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process and process.poll() is not None:
            process = None  # it failed and said so, or another `up` was faster: its supervisor is followed
        state = last_state(home)
        failed = state is not None and state.phase == "failed" and read_state(home) != before
        if state and (failed or (state.pid == process.pid if process else state.lives())):
            if state.note and "note" not in said:
                say(state.note)
                said["note"] = state.note
            for name, value in state.parts.items():
                if said.get(name) != value:
                    say(f"{name}: {value}")
                    said[name] = value
            if state.phase == "healthy":
                return state
            if _only_the_disk_ails(state):
                raise TransientError(f"everything runs, but the disk is {state.parts['disk']}")
            if failed and process is None:
                raise TransientError(f"{state.error}; logs are in {home / 'logs'}")
        elif process is None and running(home) is None:
            raise TransientError(f"the supervisor ended; see {home / 'logs' / 'supervisor.log'}")
        time.sleep(0.2)
    raise TransientError(
        f"not everything was healthy within {START_S:.0f} s: {said}; logs are in {home / 'logs'}"
    )


def _only_the_disk_ails(state: State) -> bool:
    """Whether waiting is in vain. The disk is told of together with all parts, never before them."""
    return "disk" in state.parts and all(
        value == "healthy" for name, value in state.parts.items() if name != "disk"
    )


def _running_and_known(home: Path) -> State | None:
    """As `running`, but with its pid. Raises TransientError when it does not tell it within TELLING_S."""
    deadline = time.monotonic() + TELLING_S
    while (state := running(home)) and not state.pid:
        if time.monotonic() > deadline:
            log = home / "logs" / "supervisor.log"
            raise TransientError(f"a supervisor runs that has not told its pid; try again, or see {log}")
        time.sleep(0.1)
    return state


def down(home: Path) -> bool:
    """Stop Airflow and the embedded stores; False when nothing ran. Raises TransientError when it goes on."""
    home = home.resolve()
    state = _running_and_known(home)
    if state is None:
        sweep(leaders(read_state(home)))
        return servers.stop(home)
    os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S + 60
    while time.monotonic() < deadline:
        with held(home, fcntl.LOCK_SH) as free:
            if free:
                return True
        time.sleep(0.1)
    raise TransientError(
        f"the supervisor (pid {state.pid}) is still stopping; see {home / 'logs' / 'supervisor.log'}"
    )
