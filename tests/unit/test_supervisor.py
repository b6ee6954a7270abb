"""What the supervisor does when the machine refuses it something: a process, a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from avatarlab_ops.embedded import servers
from avatarlab_ops.embedded.supervisor import BACKOFF_MAX_S, Part, State, _write_state, last_state

# Its signals need a main thread of their own; a working folder that is missing refuses every start of a part.
LOOKING = """
import pathlib, sys
from avatarlab_ops.embedded import airflow
from avatarlab_ops.embedded.supervisor import Part, Supervisor
home = pathlib.Path(sys.argv[1])
supervisor = Supervisor(airflow.Site(home, "127.0.0.1", 9))
supervisor.parts = [Part("scheduler", ["scheduler"], {"AIRFLOW_HOME": str(home / "missing")}, home / "log")]
supervisor._look()
"""
# One look without a descriptor to open anything by; it is asked to stop meanwhile.
BLIND = """
import os, pathlib, resource, signal, sys
from avatarlab_ops.embedded import airflow
from avatarlab_ops.embedded.supervisor import Part, Supervisor
home = pathlib.Path(sys.argv[1])
airflow.command = lambda *words: ["sleep", "600"]
class Blind(Supervisor):
    def _start(self):
        self.parts = [Part("scheduler", [], {"AIRFLOW_HOME": str(home)}, home / "log")]
        self.parts[0].start()
        print(self.parts[0].process.pid)
    def _look(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        os.kill(os.getpid(), signal.SIGTERM)
        self._publish()
        super()._look()
Blind(airflow.Site(home, "127.0.0.1", 9)).run()
"""
EXTERNAL = {
    "AVATARLAB_PG_DSN": "postgresql://a:b@127.0.0.1:9/avatarlab",
    "AVATARLAB_MONGO_URI": "mongodb://127.0.0.1:9/avatarlab",
    "AVATARLAB_S3_ENDPOINT": "http://127.0.0.1:9",
    "AVATARLAB_S3_ACCESS_KEY": "a", "AVATARLAB_S3_SECRET_KEY": "b",
}  # fmt: skip


def test_a_part_that_cannot_be_started_now_does_not_end_the_site(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", LOOKING, str(tmp_path)]
    done = subprocess.run(argv, env=os.environ | EXTERNAL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "supervisor.json").read_text())["parts"]["scheduler"] == "restarting"


def test_a_look_without_descriptors_does_not_end_the_site(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", BLIND, str(tmp_path)]
    done = subprocess.run(argv, env=os.environ | EXTERNAL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "supervisor.json stays as it was" in done.stderr
    assert "a look was cut short: [Errno 24]" in done.stderr
    state = json.loads((tmp_path / "supervisor.json").read_text())
    assert (state["phase"], state["error"]) == ("stopped", "")
    assert not {"started", "boot"} & set(state)  # which an earlier version's `up` refuses
    assert not Path("/proc", done.stdout.strip()).exists()


def test_each_refused_start_is_waited_for_longer_up_to_a_limit(tmp_path: Path) -> None:
    part = Part("scheduler", ["scheduler"], {"AIRFLOW_HOME": str(tmp_path / "missing")}, tmp_path / "log")
    delays = []
    for _ in range(1100):  # a night of them: 2.0 ** 1024 is no float
        part.start_again()
        delays.append(part.not_before - part.started)
    assert delays[:4] == pytest.approx([0.5, 1, 2, 4], abs=0.2)
    assert delays[-1] == pytest.approx(BACKOFF_MAX_S, abs=0.2)
    assert part.process is None


def test_a_state_of_a_later_version_is_read(tmp_path: Path) -> None:
    assert last_state(tmp_path) is None
    told = {"pid": 7, "address": "http://127.0.0.1:9", "phase": "stopped", "mood": "good"}
    (tmp_path / "supervisor.json").write_text(json.dumps(told))
    assert last_state(tmp_path) == State(7, "http://127.0.0.1:9", phase="stopped")


def test_a_state_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """It is written before the parts are ended, so that an error would leave them behind."""
    _write_state(tmp_path / "missing" / "supervisor.json", "{}")
    (tmp_path / "supervisor.json").mkdir()
    _write_state(tmp_path / "supervisor.json", "{}")


def test_a_file_system_that_tells_no_size_is_not_called_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tmpfs without a limit, ramfs and some of FUSE tell zero of everything."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 0))
    assert servers.lack(tmp_path) == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 30, 1 << 30, 0))
    assert servers.lack(tmp_path).startswith("0 MB free under ")
