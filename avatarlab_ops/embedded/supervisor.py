"""One process that keeps the stores, Airflow's parts and its workers running, from `avatarlab up` to `down`.

It holds a lock for life (two supervisors on one state folder are impossible), writes what it knows to
`supervisor.json`, and wakes for signals, for exited children and every few seconds for a look at the health.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import json
import logging
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import httpx
import psutil

from avatarlab_ops.embedded import airflow, servers, workers
from avatarlab_ops.embedded.process import Identity, boot_id
from avatarlab_ops.embedded.server import private_home, write_private
from avatarlab_ops.embedded.sessions import (
    began,
    cpu_seconds,
    is_busy,
    is_zombie,
    kill,
    members,
    signal_session,
    sweep,
    wait_all,
)
from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.stores.objects import objects

log = logging.getLogger("avatarlab.supervisor")

# Part -> its entry in Airflow's own health report (GET /api/v2/monitor/health).
PARTS = {
    "api-server": "metadatabase",
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}
# Ports that only serve logs to other machines: here everything reads the same folder.
_EXTRA_WORDS = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}
START_S = 300.0  # until all parts must be healthy; a cold start takes 16-60 s
HUNG_S = 180.0  # a part that runs but reports unhealthy for so long is restarted
STUCK_S = 10.0  # seconds without heartbeat and CPU time after which a part that was healthy counts as hung
STOP_S = 15.0  # grace before SIGKILL
LOOK_S = 2.0  # between two looks at the health
BACKOFF_MAX_S = 30.0
STEADY_S = 120.0  # a part that ran so long has its failures forgotten
PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>


@dataclass
class Part:
    """One Airflow process and its history."""

    name: str
    words: list[str]  # of its `airflow` command
    env: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    began: int = 0  # of the process, in clock ticks: read once, so that telling it later needs no descriptor
    failures: int = 0
    started: float = 0.0
    healthy_at: float = 0.0
    moved_at: float = 0.0  # when it was last seen to use the CPU
    cpu_s: float = 0.0
    not_before: float = 0.0

    def start(self) -> None:
        """Start the process in a session of its own, so that everything it forks can be found again."""
        self.started = self.healthy_at = self.moved_at = time.monotonic()
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                airflow.command(*self.words),
                env=self.env, cwd=self.env["AIRFLOW_HOME"], start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            )  # fmt: skip
        self.began = began(self.process.pid)

    def start_again(self) -> None:
        """Start it; where the machine refuses that now (processes, memory, disk), set when to try again."""
        try:
            self.start()
        except OSError as error:
            self._failed(f"was not started: {error}")

    def look(self) -> None:
        """Notice whether it uses the CPU; even an idle part does, a stopped or deadlocked one does not."""
        used = cpu_seconds(self.process.pid) if self.process else 0.0
        if used != self.cpu_s:
            self.cpu_s, self.moved_at = used, time.monotonic()

    def hangs(self, known: str) -> bool:
        """Whether a part whose health was `known` before and is bad now is beyond waiting for."""
        now = time.monotonic()
        still = known != "starting" and now - max(self.healthy_at, self.moved_at) > STUCK_S
        return still or now - self.healthy_at > HUNG_S

    def crashed(self) -> bool:
        """Tell whether the process has ended; if so, set when it may start again."""
        if self.process is None or self.process.poll() is None:
            return False
        self._failed(f"ended with {self.process.returncode}")
        return True

    def _failed(self, how: str) -> None:
        now = time.monotonic()
        self.failures = 1 if now - self.started > STEADY_S else self.failures + 1
        self.not_before = now + min(BACKOFF_MAX_S, 2.0 ** min(self.failures - 2, 10))  # 2.0 ** 1024 overflows
        log.warning("%s %s (failure %d); it is started again", self.name, how, self.failures)


LATER = ("started", "boot")  # an earlier version refuses a state that has them


@dataclass
class State:
    """What `supervisor.json` says. phase: starting, healthy, degraded, stopping, failed."""

    pid: int
    address: str
    workers: int = 0
    phase: str = "starting"
    parts: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, int] = field(default_factory=dict)  # part -> its session id, to sweep after a kill
    restarts: dict[str, int] = field(default_factory=dict)
    note: str = ""
    error: str = ""
    started: dict[str, int] = field(default_factory=dict)  # of the sessions and "supervisor", in clock ticks
    boot: str = ""  # "" by an earlier version, and once all has ended

    def lives(self) -> bool:
        """Whether the supervisor that wrote this is running, as far as an earlier version tells."""
        if not self.boot:
            return psutil.pid_exists(self.pid)
        return Identity(self.pid, self.started["supervisor"], self.boot).alive()


class Wakeups:
    """Signals as something a loop can wait for."""

    def __init__(self) -> None:
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self._in.setblocking(False)
        signal.set_wakeup_fd(self._in.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda _signal, _frame: None)

    def wait(self, seconds: float) -> bool:
        """Sleep until a signal or `seconds` have passed; True when asked to stop."""
        if not select.select([self._out], [], [], max(0.0, seconds))[0]:
            return False
        return bool(set(self._out.recv(4096)) & {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class Supervisor:
    """Starts, watches and stops the parts."""

    def __init__(self, site: airflow.Site, note: str = "") -> None:
        self.site = site
        self.state = State(os.getpid(), site.address, site.workers, note=note, boot=boot_id())
        self.began = began(self.state.pid)
        self.workers = workers.names(site.workers)
        self.parts: list[Part] = []
        self.orphaned: set[int] = set()  # sessions whose leader died
        self.wakeups = Wakeups()

    def run(self) -> None:
        """Bring everything up and keep it up until a signal asks to stop."""
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        sweep(leaders(read_state(self.site.state)))
        self._publish()
        try:
            self._start()
            while not self.wakeups.wait(LOOK_S):
                self._look_if_possible()
        except (AvatarlabError, OSError) as error:
            self.state.error = str(error)
            log.error("%s", error)
        finally:
            self._stop()

    def _start(self) -> None:
        settings = servers.ensure(self.site.state, broker=bool(self.workers))
        objects(settings).ensure_buckets()
        objects(settings).check_writes()
        self.state.parts["stores"] = "healthy"
        self._publish()
        env = airflow.set_up(self.site, settings)
        self.state.parts["database"] = "healthy"
        commands = {name: [name, *_EXTRA_WORDS.get(name, [])] for name in PARTS}
        commands |= {name: workers.words(name, env["AIRFLOW_HOME"]) for name in self.workers}
        for name, words in commands.items():
            self.parts.append(Part(name, words, env, self.site.logs / f"{name}.log"))
            self.parts[-1].start()
        self._publish()

    def _look_if_possible(self) -> None:
        """Look; where the machine refuses that now (descriptors, memory), the next look may see again."""
        try:
            self._look()
        except OSError as error:
            log.error("a look was cut short: %s", error)
            for part in self.parts:  # what was not seen counts against nobody
                part.healthy_at = part.moved_at = time.monotonic()

    def _look(self) -> None:
        """One round: stores, exited parts, orphans, health."""
        self._mend_stores()
        for part in self.parts:
            if part.process and part.crashed():
                self.orphaned.add(part.process.pid)
                part.process = None
                self.state.restarts[part.name] = self.state.restarts.get(part.name, 0) + 1
            if part.process is None and time.monotonic() >= part.not_before:
                part.start_again()
        self._reap()
        self._judge(_health(self.site.address) | self._workers_health())
        self._publish()

    def _workers_health(self) -> dict[str, Any]:
        return workers.health(servers.broker_url(self.site.state), self.workers) if self.workers else {}

    def _mend_stores(self) -> None:
        """Tell of a full disk; start dead and silent stores anew, as far as there is space."""
        if lack := servers.lack(self.site.state):
            self.state.parts["disk"] = f"full: {lack}"
        else:
            self.state.parts.pop("disk", None)
        try:
            servers.ensure(self.site.state, broker=bool(self.workers))
        except (AvatarlabError, OSError) as error:
            self.state.parts["stores"] = "unhealthy"
            log.error("stores: %s", error)
        else:
            self.state.parts["stores"] = "healthy"

    def _judge(self, report: Mapping[str, Any]) -> None:
        now = time.monotonic()
        for part in self.parts:
            part.look()
            if part.process is None:
                self.state.parts[part.name] = "restarting"
            elif _is_healthy(report, part.name):
                if self.state.parts.get(part.name) != "healthy" and part.name == "api-server":
                    _warm_up(self.site.address)
                self.state.parts[part.name], part.healthy_at = "healthy", now
            else:
                known = self.state.parts.get(part.name, "starting")
                self.state.parts[part.name] = "starting" if known == "starting" else "unhealthy"
                if part.hangs(known):
                    log.error("%s hangs: not healthy for %.0f s; killed", part.name, now - part.healthy_at)
                    signal_session(part.process.pid, signal.SIGKILL)
        values = {name: self.state.parts.get(name) for name in ("stores", *PARTS, *self.workers)}.values()
        if all(value == "healthy" for value in values) and "disk" not in self.state.parts:
            self.state.phase = "healthy"
        elif self.state.phase == "healthy":
            self.state.phase = "degraded"

    def _reap(self) -> None:
        """End what a dead part left behind; a LocalExecutor worker may first finish its task."""
        for session in list(self.orphaned):
            left = members(session)
            for process in left:
                if not is_busy(process):
                    kill(process)
            if not left:
                self.orphaned.discard(session)
        own = {part.process.pid for part in self.parts if part.process}
        for child in psutil.Process().children():
            if child.pid not in own and is_zombie(child):
                os.waitpid(child.pid, os.WNOHANG)

    def _stop(self) -> None:
        failed = bool(self.state.error)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # to see what is to be ended takes some
        self.state.phase = "stopping"
        self._publish()
        running = [part.process for part in self.parts if part.process and part.process.poll() is None]
        for process in running:
            process.terminate()
        wait_all(running, STOP_S)
        for session in (*self.orphaned, *(part.process.pid for part in self.parts if part.process)):
            signal_session(session, signal.SIGKILL)
        servers.stop(self.site.state)
        self.state.parts = {}
        self.state.phase = "failed" if failed else "stopped"
        self.parts = []  # and no session is kept that the next start would sweep
        self.state.boot = ""
        self._publish()

    def _publish(self) -> None:
        self.state.sessions = {part.name: part.process.pid for part in self.parts if part.process}
        began = {part.name: part.began for part in self.parts if part.process}
        self.state.started = {"supervisor": self.began} | began if self.state.boot else {}
        told = {name: value for name, value in vars(self.state).items() if value or name not in LATER}
        _write_state(state_file(self.site.state), json.dumps(told))


def _write_state(path: Path, content: str) -> None:
    """Replace the file; on a full disk write over it, which takes no new block, so that health is told.

    What cannot be written is logged: parts are watched, and ended, whether or not anybody is told.
    """
    try:
        write_private(path, content)
    except OSError as error:
        log.error("%s: %s", path, error)
        _write_over(path, content)


def _write_over(path: Path, content: str) -> None:
    try:
        length = max(path.stat().st_size, len(content))
        with path.open("r+b", buffering=0) as file:
            file.write(content.ljust(length).encode())  # one write: JSON may end in spaces
    except OSError as error:
        log.error("%s stays as it was: %s", path, error)


def _is_healthy(report: Mapping[str, Any], part: str) -> bool:
    return (report.get(PARTS.get(part, part)) or {}).get("status") == "healthy"


@functools.cache
def _client() -> Any:
    """One for all looks: making one reads every root certificate, which takes 60 ms."""
    return httpx.Client(timeout=10, trust_env=False)


def _health(address: str) -> dict[str, Any]:
    """Airflow's own health report; empty while the api-server does not answer."""
    try:
        answer = _client().get(f"{address}/api/v2/monitor/health")
        return dict(answer.json()) if answer.is_success else {}
    except (httpx.HTTPError, ValueError):
        return {}


def _warm_up(address: str) -> None:
    """Ask once for the task API: its versions are built at the first request, which takes 4 s."""
    try:
        _client().get(f"{address}/execution/health", timeout=60)
    except httpx.HTTPError as error:
        log.warning("warm-up of the task API: %s", error)


def state_file(home: Path) -> Path:
    """Where the supervisor writes its State."""
    return home / "supervisor.json"


def read_state(home: Path) -> dict[str, Any]:
    """The last State written, as a mapping; empty when there was none."""
    try:
        return dict(json.loads(state_file(home).read_text()))
    except FileNotFoundError:
        return {}


def last_state(home: Path) -> State | None:
    """The last State written, without what only a later version says; None when there was none."""
    known = read_state(home)
    names = {one.name for one in fields(State)}
    return State(**{name: value for name, value in known.items() if name in names}) if known else None


def leaders(state: Mapping[str, Any]) -> list[Identity]:
    """Who led the sessions of this State; none by an earlier version's, which kept bare pids."""
    known, boot = state.get("started", {}), state.get("boot", "")
    return [Identity(pid, known.get(name, 0), boot) for name, pid in state.get("sessions", {}).items()]


@contextmanager
def held(home: Path, how: int = fcntl.LOCK_EX, patience_s: float = 0.0) -> Iterator[bool]:
    """Yield whether the supervisor's lock could be taken within `patience_s`; held until the block ends.

    Who only looks whether one runs takes it by LOCK_SH: others who look are not taken for one.
    """
    private_home(home)
    deadline = time.monotonic() + patience_s
    with (home / "supervisor.lock").open("w") as stream:
        while True:
            try:
                fcntl.flock(stream, how | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                yield False
            else:
                yield True
            return


def main() -> int:
    """`python -m avatarlab_ops.embedded.supervisor HOME HOST PORT WORKERS NOTE`."""
    home, host, port, count, note = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # `running()` takes this lock for a moment to see whether it is free: that is no reason to give up.
    with held(Path(home), patience_s=2.0) as free:
        if not free:
            log.info("another supervisor runs on %s", home)
            return 0
        supervisor = Supervisor(airflow.Site(Path(home), host, int(port), int(count)), note)
        supervisor.run()
        return 1 if supervisor.state.error else 0


if __name__ == "__main__":
    sys.exit(main())
