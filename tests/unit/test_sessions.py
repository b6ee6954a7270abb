"""Which processes an earlier supervisor's record may end: its own, however often pids are used again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from avatarlab_ops.embedded import control, sessions
from avatarlab_ops.embedded.process import Identity
from avatarlab_ops.embedded.supervisor import State, read_state, state_file

# Its name is what a part of an earlier supervisor might be taken by.
SCRIPT = "trap '' HUP; echo ready; read line # airflow"


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    """The leader of a session, in which one more process lives."""
    argv = ["sh", "-c", f"sleep 600 & {SCRIPT}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        sessions.signal_session(process.pid, signal.SIGKILL)


def test_a_session_is_ended_with_or_without_its_leader(leader: subprocess.Popen[bytes]) -> None:
    known = Identity.of(leader.pid)
    leader.kill()
    leader.wait()
    assert len(sessions.members(leader.pid)) == 1
    sessions.sweep([known])
    _gone(leader.pid)


def test_a_living_session_is_ended(leader: subprocess.Popen[bytes]) -> None:
    sessions.sweep([Identity.of(leader.pid)])
    _gone(leader.pid)


def test_a_session_whose_leader_is_another_process_by_now_is_left_alone(
    leader: subprocess.Popen[bytes],
) -> None:
    known = Identity.of(leader.pid)
    sessions.sweep([replace(known, started=known.started - 1), replace(known, boot="an earlier one")])
    with pytest.raises(subprocess.TimeoutExpired):
        leader.wait(0.3)
    assert len(sessions.members(leader.pid)) == 2


def test_a_session_of_another_boot_is_left_alone_when_its_leader_is_gone(
    leader: subprocess.Popen[bytes],
) -> None:
    known = replace(Identity.of(leader.pid), boot="an earlier one")
    leader.kill()
    leader.wait()
    sessions.sweep([known])
    assert len(sessions.members(leader.pid)) == 1


def test_what_another_user_has_is_no_error(
    leader: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an ordinary user meets it; these tests may run as root, who may signal everybody."""

    def refused(*_: object) -> None:
        raise psutil.AccessDenied(os.getpid())

    process = psutil.Process(leader.pid)
    with monkeypatch.context() as refusing:
        refusing.setattr(psutil.Process, "send_signal", refused)  # alone: the session's members are found
        sessions.signal_session(leader.pid, signal.SIGKILL)
    assert len(sessions.members(leader.pid)) == 2
    with monkeypatch.context() as refusing:
        for name in ("kill", "cmdline", "status", "cpu_times"):
            refusing.setattr(psutil.Process, name, refused)
        sessions.kill(process)
        assert not sessions.is_busy(process)
        assert not sessions.is_zombie(process)
        assert sessions.cpu_seconds(process.pid) == 0.0


def test_a_state_of_an_earlier_version_or_boot_is_read(
    leader: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    state_file(tmp_path).write_text(json.dumps({"pid": os.getpid(), "address": "http://127.0.0.1:9"}))
    assert State(**read_state(tmp_path)).lives()
    now = Identity.of(os.getpid())
    assert State(now.pid, "", started={"supervisor": now.started}, boot=now.boot).lives()
    assert not State(now.pid, "", started={"supervisor": now.started}, boot="an earlier one").lives()
    control.end_left({"sessions": {"scheduler": leader.pid}})
    assert len(sessions.members(leader.pid)) == 2


def _gone(session: int) -> None:
    deadline = time.monotonic() + 10
    while sessions.members(session) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not sessions.members(session)
