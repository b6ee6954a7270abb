"""What `up` and `down` say of a supervisor that cannot become healthy, or has not told yet who it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

import pytest

from avatarlab_ops.embedded import control
from avatarlab_ops.embedded.process import boot_id
from avatarlab_ops.embedded.sessions import began
from avatarlab_ops.embedded.supervisor import State, held, state_file
from avatarlab_ops.errors import TransientError

# A supervisor that has its lock, but comes to write who it is a second later.
LATE = """
import pathlib, sys, time
from avatarlab_ops.embedded import airflow
from avatarlab_ops.embedded.supervisor import Supervisor, held
home = pathlib.Path(sys.argv[1])
with held(home):
    print("held", flush=True)
    time.sleep(1)
    supervisor = Supervisor(airflow.Site(home, "127.0.0.1", 9))
    supervisor._start = supervisor._look = lambda: None
    supervisor.run()
"""
FULL = "full: 5 MB free under /home, 64 MB are needed; free some space"


@pytest.mark.parametrize(
    ("scheduler", "word"), [("healthy", f"the disk is {FULL}"), ("starting", "not everything was healthy")]
)
def test_up_ends_when_all_but_the_disk_is_well(
    scheduler: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "START_S", 1.0)
    parts = {"stores": "healthy", "scheduler": scheduler, "disk": FULL}
    mine = {"supervisor": began(os.getpid())}
    state = State(os.getpid(), "http://127.0.0.1:9", parts=parts, started=mine, boot=boot_id())
    state_file(tmp_path).write_text(json.dumps(vars(state)))
    said: list[str] = []
    with pytest.raises(TransientError, match=word):
        control._until_healthy(tmp_path, None, said.append, {})
    assert f"disk: {FULL}" in said


def test_a_supervisor_that_was_killed_a_moment_ago_is_none(tmp_path: Path) -> None:
    """It holds its lock and looks alive until the kernel is done with it."""
    lock = ExitStack()
    lock.enter_context(held(tmp_path))
    Timer(0.1, lock.close).start()
    assert control._going_on(tmp_path) is None
    with held(tmp_path):
        assert control._going_on(tmp_path) == State(0, ""), "one that goes on"


def test_down_ends_a_supervisor_that_has_only_begun(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", LATE, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as late:
        assert late.stdout
        assert late.stdout.readline() == "held\n"
        try:
            assert control.down(tmp_path)
            assert late.wait(10) == 0
        finally:
            late.kill()


def test_down_never_says_that_nothing_runs_while_the_lock_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "TELLING_S", 0.3)
    with held(tmp_path), pytest.raises(TransientError, match="has not told its pid"):
        control.down(tmp_path)
    assert not control.down(tmp_path)
