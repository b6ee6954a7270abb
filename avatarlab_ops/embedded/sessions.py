"""Processes by session: each Airflow part leads one, and everything it forks stays in it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable

import psutil


def members(session: int) -> list[psutil.Process]:
    """Living processes of a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            continue
    return found


def is_zombie(process: psutil.Process) -> bool:
    """Whether a process has ended and waits to be reaped."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def cpu_seconds(pid: int) -> float:
    """CPU time a process has used, in seconds; 0 when it is gone."""
    try:
        return sum(psutil.Process(pid).cpu_times()[:2])
    except psutil.NoSuchProcess:
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
    except psutil.NoSuchProcess:
        return False


def kill(process: psutil.Process) -> None:
    """SIGKILL, unless it is gone."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def signal_session(session: int, number: int) -> None:
    """Send a signal to every process of a session."""
    for process in members(session):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def sweep(sessions: Iterable[int]) -> None:
    """Kill processes that earlier parts left in these sessions; their ids are not reused while one lives."""
    for session in sessions:
        leader_is_ours = not psutil.pid_exists(session) or "airflow" in " ".join(_cmdline(session))
        if leader_is_ours:
            signal_session(session, signal.SIGKILL)


def _cmdline(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return []


def wait_all(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    """Wait for processes to end; what is left of their sessions after `seconds` is killed."""
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            signal_session(process.pid, signal.SIGKILL)
