"""A server process that outlives whoever started it, and the lock by which the kernel says that it lives.

The lock file is locked (flock) before the server starts and inherited by it and by its children. The kernel
lets go of it exactly when the last of them is gone, however they ended; so "is it running" is never guessed,
two servers never share a data folder, and a crash between start and record cannot lose a process. The file's
content tells which process is the main one.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from avatarlab_ops.errors import TransientError

POLL_S = 0.02
LEFTOVERS_S = 5.0  # children of a killed server notice and end within about a second
FORK_S = 5.0  # a child that another thread forks has our lock too, until it executes its program
START_MARK = "--- starting "  # a line of the log before each start's own
TAIL_LINES, LATELY_BYTES = 8, 262_144  # of the log: shown with an error; looked through
LOG_LIMIT_BYTES = 20_000_000  # a longer log is set aside at the next start

# Servers started by this process: kept so that finished ones are reaped and none is warned about.
_children: list[subprocess.Popen[bytes]] = []
_children_lock = threading.Lock()


@dataclass(frozen=True)
class Identity:
    """One process for all time: pids are used again, (boot, pid, start in clock ticks) are not."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity:
        """Identity of a living process. Raises ProcessLookupError; a zombie does not live."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError) as error:
            raise ProcessLookupError(pid) from error
        after_name = stat.rpartition(")")[2].split()  # the name may contain spaces
        if after_name[0] in "ZX":
            raise ProcessLookupError(pid)
        return cls(pid, int(after_name[19]), boot_id())  # field 22 of proc(5): starttime

    def alive(self) -> bool:
        """Whether this very process still exists."""
        try:
            return Identity.of(self.pid) == self
        except ProcessLookupError:
            return False


class Daemon:
    """One server program with its lock file and its log."""

    def __init__(self, name: str, lock: Path, log: Path) -> None:
        self.name = name
        self.lock = lock
        self.log = log

    def pid(self) -> int | None:
        """Process id of the running server; None when it does not run."""
        _reap()
        with self._try_lock() as free:
            if free is not None:
                return None
        recorded = self._recorded()
        return recorded.pid if recorded and recorded.alive() else None

    def start(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> int:
        """Start the program in its own session, its output appended to the log; returns its pid.

        Raises TransientError when the data folder is in use for longer than a fork takes: stop() first.
        """
        self._set_long_log_aside()
        with self._try_lock(FORK_S) as lock, self.log.open("ab") as output:
            if lock is None:
                raise TransientError(f"{self.name}: another process holds {self.lock}; try again")
            output.write(f"{START_MARK}{self.name}\n".encode())
            output.flush()
            child = subprocess.Popen(
                argv, cwd=cwd, env=dict(env) if env else None, pass_fds=(lock,), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                umask=0o077,  # SeaweedFS's sockets know no login: only their file modes keep other users out
            )  # fmt: skip
            os.truncate(lock, 0)
            os.pwrite(lock, json.dumps(asdict(Identity.of(child.pid))).encode(), 0)
        _reap()
        with _children_lock:
            _children.append(child)
        return child.pid

    def stop(self, how: signal.Signals, patience_s: float) -> None:
        """Send `how` to the server and wait; whatever is left after `patience_s` seconds is killed."""
        pid = self.pid()
        if pid is not None:
            _signal(pid, how)
        if not self.wait_stopped(patience_s if pid is not None else LEFTOVERS_S):
            self.kill()
        _reap()

    def kill(self) -> None:
        """End every process that holds the lock. Raises TransientError when one cannot be ended."""
        for pid in self.holders():
            _signal(pid, signal.SIGKILL)
        if not self.wait_stopped(10.0):
            raise TransientError(f"{self.name}: processes {self.holders()} cannot be ended")

    def wait_stopped(self, patience_s: float) -> bool:
        """Wait until no process of the server is left; False when `patience_s` seconds were not enough."""
        deadline = time.monotonic() + patience_s
        while True:
            with self._try_lock() as free:
                if free is not None:
                    return True
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)

    def holders(self) -> list[int]:
        """Processes that hold the lock: the server and its children, or leftovers of a killed one."""
        processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [int(process.name) for process in processes if self._holds(process)]

    def log_tail(self) -> str:
        """Last lines of the log, for an error message."""
        return "\n".join(self._log_end(16_384).splitlines()[-TAIL_LINES:])

    def told_lately(self) -> str:
        """What the server that runs has logged, as far as it is within the log's end."""
        return self._log_end(LATELY_BYTES).rpartition(START_MARK)[2]

    def _log_end(self, end_bytes: int) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - end_bytes))
            return log.read().decode(errors="replace")

    def _holds(self, process: Path) -> bool:
        target = str(self.lock.resolve())
        try:
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) == target:
                    return "FLOCK" in (process / "fdinfo" / descriptor.name).read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False  # gone meanwhile, or another user's
        return False

    @contextmanager
    def _try_lock(self, patience_s: float = 0.0) -> Iterator[int | None]:
        """The descriptor of the locked file, or None: somebody holds it for `patience_s` seconds."""
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience_s
        try:
            while not (locked := _locks(descriptor)) and time.monotonic() < deadline:
                time.sleep(POLL_S)
            yield descriptor if locked else None
        finally:
            os.close(descriptor)

    def _recorded(self) -> Identity | None:
        try:
            return Identity(**json.loads(self.lock.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            return None  # its starter was killed before the record was written

    def _set_long_log_aside(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))


def boot_id() -> str:
    """What the kernel drew at this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock on `path` (flock) for the block; waits while another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    """Lock the open file if it is free: False when somebody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _reap() -> None:
    """Collect servers that have ended. PostgreSQL does not start while the old one is still a zombie."""
    with _children_lock:
        _children[:] = [known for known in _children if known.poll() is None]


def _signal(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return  # it has ended already
