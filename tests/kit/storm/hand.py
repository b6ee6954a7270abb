"""The hand that makes faults and undoes them, and the one that starts a dead supervisor again.

A supervisor that is killed stays dead for a second or two; on a machine of one's own systemd starts it again.
"""

from __future__ import annotations

import heapq
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from kit.storm.place import Place
from kit.storm.schedule import STORES, SUPERVISOR, TASK, WORKERS, Fault

from avatarlab_ops.embedded import control
from avatarlab_ops.embedded.process import Daemon
from avatarlab_ops.embedded.sessions import members
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.errors import AvatarlabError

LOOK_S = 1.0
PATIENCE_S = 30.0  # a fault waits so long for something to hit: a task that runs, a part that is back
AGAIN_S = 1.0  # between two looks for it; a look reads every process of the machine
Undo = Callable[[], None]


@dataclass
class Done:
    """What became of a planned fault: what it hit, or nothing."""

    fault: Fault
    hit: str = ""
    began_s: float = 0.0
    ended_s: float = 0.0


class Hand:
    """Makes the faults of a schedule on time, each in a thread's one loop."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.done: list[Done] = []
        self.troubles: list[str] = []

    def storm(self, faults: Sequence[Fault]) -> None:
        """All of them; returns when the last is undone."""
        numbers, begin = itertools.count(), time.monotonic()
        plan: list[tuple[float, int, Done | None, Undo]] = []
        for fault in faults:
            heapq.heappush(plan, (fault.at_s, next(numbers), Done(fault), _nothing))
        while plan:
            at_s, _, one, undo = heapq.heappop(plan)
            rest_s = at_s - (time.monotonic() - begin)
            if rest_s > 0:
                threading.Event().wait(rest_s)
            now_s = time.monotonic() - begin
            if one is None:
                undo()
                continue
            one.began_s = now_s
            hit, undo = self._made(one.fault)
            if not hit and now_s < one.fault.at_s + PATIENCE_S:
                heapq.heappush(plan, (now_s + AGAIN_S, next(numbers), one, _nothing))
                continue
            one.hit, one.ended_s = hit, now_s + (one.fault.lasts_s if hit else 0)
            self.done.append(one)
            if hit:
                heapq.heappush(plan, (one.ended_s, next(numbers), None, undo))

    def _made(self, fault: Fault) -> tuple[str, Undo]:
        """As `_make`; what ended or was half-written while it was looked for is no hit."""
        try:
            return self._make(fault)
        except (OSError, ValueError, psutil.Error) as error:
            self.troubles.append(f"{fault.kind} {fault.target}: {error}"[:300])
            return "", _nothing

    def _make(self, fault: Fault) -> tuple[str, Undo]:
        """Make a fault; return what it hit ("": nothing was there) and what undoes it."""
        match fault.kind:
            case "kill":
                return _signalled(self._victims(fault.target), signal.SIGKILL), _nothing
            case "pause":
                stopped = self._whole(fault.target)
                return _signalled(stopped, signal.SIGSTOP), lambda: _go_on(stopped)
            case "partition":
                self.place.gates.shut(fault.target, silent=bool(fault.size))
                return fault.target, lambda: self.place.gates.opened(fault.target)
            case "slow":
                self.place.gates.slow(fault.target, fault.size)
                return fault.target, lambda: self.place.gates.slow(fault.target, 0)
            case "full disk" if self.place.disk:
                return (fault.target if self.place.disk.fill() else ""), self.place.disk.free
            case "clock step" if (clock := self.place.clock) is not None:
                clock.step(fault.size)
                return fault.target, lambda: clock.step(0)
        raise NotImplementedError(f"a fault of kind {fault.kind!r} cannot be made here")

    def heal(self) -> None:
        """Undo whatever may be left."""
        for name in STORES:
            self.place.gates.opened(name)
            self.place.gates.slow(name, 0)
        if self.place.disk:
            self.place.disk.free()
        if self.place.clock:
            self.place.clock.step(0)

    def _victims(self, target: str) -> list[psutil.Process]:
        """Whom a kill meets: one process, but a worker goes as a whole, as its machine would."""
        whole = self._whole(target)
        return whole if target in WORKERS else whole[:1]

    def _whole(self, target: str) -> list[psutil.Process]:
        """All processes of a target, the main one first."""
        if target == TASK:
            return [task for worker in WORKERS for task in tasks(self._session(worker))][:1]
        if target == SUPERVISOR:
            return _living(read_state(self.place.site.home).get("pid"), "supervisor")
        if target in STORES:
            return _family(_store(self.place.stores, target))
        return self._session(target)

    def _session(self, part: str) -> list[psutil.Process]:
        leader = read_state(self.place.site.home).get("sessions", {}).get(part)
        if not _living(leader, "airflow"):
            return []
        return sorted(members(leader), key=lambda process: process.pid != leader)


def _nothing() -> None:
    return


def tasks(worker: Sequence[psutil.Process]) -> list[psutil.Process]:
    """The processes of a worker in which tasks themselves run: children of its pool's processes."""
    known = {process.pid for process in worker}
    leaders = {worker[0].pid} if worker else set()
    found = []
    for process in worker:
        try:
            parent = process.parent()
            if parent and parent.pid in known - leaders and parent.ppid() in leaders:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def _living(pid: int | None, word: str) -> list[psutil.Process]:
    """The process, if it lives and is what it should be: pids are used again."""
    try:
        process = psutil.Process(pid) if pid else None
        return [process] if process and word in " ".join(process.cmdline()) else []
    except psutil.NoSuchProcess:
        return []


def _store(home: Path, name: str) -> int | None:
    return Daemon(name, home / "run" / f"{name}.lock", home / "logs" / f"{name}.log").pid()


def _family(pid: int | None) -> list[psutil.Process]:
    try:
        leader = psutil.Process(pid) if pid else None
        return [leader, *leader.children(recursive=True)] if leader else []
    except psutil.NoSuchProcess:
        return []


def _signalled(processes: Sequence[psutil.Process], number: signal.Signals) -> str:
    hit = []
    for process in processes:
        try:
            process.send_signal(number)
            hit.append(str(process.pid))
        except psutil.NoSuchProcess:
            continue
    return " ".join(hit)


def _go_on(processes: Sequence[psutil.Process]) -> None:
    _signalled(processes, signal.SIGCONT)


class StandBy(threading.Thread):
    """Starts the supervisor again whenever it is gone, as a service manager would."""

    def __init__(self, home: Path) -> None:
        super().__init__(name="stand-by", daemon=True)
        self.home, self.over = home, threading.Event()
        self.starts = 0
        self.troubles: list[str] = []

    def run(self) -> None:
        """Look once a second until `over`."""
        while not self.over.wait(LOOK_S):
            try:
                if control.running(self.home) is None:
                    self.starts += 1
                    control.up(self.home, lambda _: None)
            except (AvatarlabError, OSError, ValueError) as error:
                self.troubles.append(str(error)[:300])


def left_stopped(home: Path) -> list[int]:
    """Processes of this checkout's state folder that a pause left stopped."""
    found = []
    for process in psutil.process_iter(["pid", "status", "environ"]):
        environ = process.info["environ"] or {}
        if process.info["status"] == psutil.STATUS_STOPPED and environ.get("AVATARLAB_HOME") == str(home):
            os.kill(process.info["pid"], signal.SIGCONT)
            found.append(int(process.info["pid"]))
    return found
