"""Processes by session: each Airflow part leads one, and everything it forks stays in it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable

import psutil

from avatarlab_ops.embedded.process import Identity, boot_id

GONE = (psutil.NoSuchProcess, psutil.AccessDenied)  # or another user's: then it is none of ours


def members(session: int) -> list[psutil.Process]:
    """Living processes of a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (*GONE, ProcessLookupError, PermissionError):
            continue
    return found


def is_zombie(process: psutil.Process) -> bool:
    """Whether a process has ended and waits to be reaped."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except GONE:
        return False


def cpu_seconds(pid: int) -> float:
    """CPU time a process has used, in seconds; 0 when it is gone."""
    try:
        return sum(psutil.Process(pid).cpu_times()[:2])
    except GONE:
        return 0.0


def is_busy(process: psutil.Process) -> bool:
    """Whether a process belongs to a running task: a worker that is not idle, or its task child."""
    try:
        title = " ".join(process.cmdline())
        return (
            bool(process.children())
            or ("LocalExecutor" in title and "<idle>" not in title)
            or "task" in title
        )
    except GONE:
        return False


def kill(process: psutil.Process) -> None:
    """SIGKILL, unless it is gone or another user's."""
    try:
        process.kill()
    except GONE:
        return


def signal_session(session: int, number: int) -> None:
    """Send a signal to every process of a session."""
    for process in members(session):
        try:
            process.send_signal(number)
        except GONE:
            continue


def began(pid: int) -> int:
    """When a process began (clock ticks), with which a pid is an Identity; 0 when that cannot be read."""
    try:
        return Identity.of(pid).started
    except OSError:  # it is gone, or there is no descriptor left to read it by
        return 0


def sweep(leaders: Iterable[Identity]) -> list[int]:
    """Kill what earlier parts left in the sessions of these leaders, gone or not; returns those sessions."""
    swept = [leader.pid for leader in leaders if _still_its_session(leader)]
    for session in swept:
        signal_session(session, signal.SIGKILL)
    return swept


def _still_its_session(leader: Identity) -> bool:
    try:
        return Identity.of(leader.pid) == leader
    except ProcessLookupError:  # within a boot its pid is not used again while a process of its session lives
        return leader.boot == boot_id()


def wait_all(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    """Wait for processes to end; what is left of their sessions after `seconds` is killed."""
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            signal_session(process.pid, signal.SIGKILL)
