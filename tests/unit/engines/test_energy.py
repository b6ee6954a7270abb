"""Joules of work, by the counters of its device; None wherever those do not tell.

No GPU and no readable counter of a CPU was at hand when this was written: NVIDIA's library is imitated by a
small one in C with the same prototypes (kit/nvml.c), Linux's powercap by a folder of real files.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kit import powercap
from kit.eventually import eventually

from avatarlab_ops.engines import device, energy

NVML = Path(powercap.__file__).with_name("nvml.c")
GPU = "cuda-0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
ON_A_GPU = """
import json, pathlib, sys
from avatarlab_ops.engines import device, energy
counter, name, cases = pathlib.Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
told = []
for before, after, slots in cases:
    counter.write_text(before)
    gpu = device.Device(name, "cuda:0", 4)
    with device.lease(counter.parent / "devices", [gpu], slots=slots, purpose="a test"):
        with energy.measured() as used:
            counter.write_text(after)
    told.append(used.joules)
print(json.dumps(told))
"""


@pytest.fixture
def zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is taken for /sys/class/powercap."""
    folder = tmp_path / "powercap"
    folder.mkdir()
    monkeypatch.setattr(energy, "POWERCAP", folder)
    monkeypatch.delenv("AVATARLAB_DEVICES", raising=False)
    energy._say.cache_clear()
    return folder


@contextmanager
def work(folder: Path, slots: int = 1) -> Iterator[energy.Used]:
    """Work on the CPU, of whose places it holds some."""
    held = device.lease(folder.parent / "devices", device.devices(cuda=False), slots=slots, purpose="a test")
    with held, energy.measured() as used:
        yield used


def test_a_task_is_told_its_share_of_what_all_packages_used(zones: Path) -> None:
    first, second = powercap.zone(zones, "0", "package-0", 7), powercap.zone(zones, "1", "package-1")
    others = [powercap.zone(zones, "0:0", "core"), powercap.zone(zones, "2", "psys")]
    with work(zones) as half:
        assert half.joules is None, "nobody knows yet"
        first.set(3_000_007)
        second.set(1_000_000)
        for other in others:
            other.set(50_000_000)
    assert half.joules == 2.0
    with work(zones, slots=2) as whole:
        second.set(1_500_000)
    assert whole.joules == 0.5


def test_all_cpu_devices_of_a_machine_share_its_processors(
    zones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_DEVICES", "cpu0:1,cpu1:3")
    counter = powercap.zone(zones, "0", "package-0")
    with work(zones) as used:
        counter.set(4_000_000)
    assert used.joules == 1.0


def test_a_counter_that_begins_anew_goes_on(zones: Path) -> None:
    counter = powercap.zone(zones, "0", "package-0", powercap.ROUND_UJ - 1_500_000)
    with work(zones) as used:
        counter.set(500_000)
    assert used.joules == 1.0


def test_long_work_looks_before_a_counter_has_gone_round_twice(
    zones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "LOOK_S", 0.005)
    counter, size = powercap.zone(zones, "0", "package-0", round_uj=100_000_000), 100_000_000
    [cpu] = energy.packages(zones)
    with energy._looked_at([cpu]) as joules:
        for number in range(1, 5):
            counter.set(number * 60_000_000 % size)
            eventually(lambda done=number: cpu.joules == pytest.approx(done * 60), end_s=10)
        assert joules() == pytest.approx(240), "two rounds and more"


def test_a_round_that_may_have_passed_unseen_is_no_guess(zones: Path) -> None:
    counter = powercap.zone(zones, "0", "package-0", round_uj=1)  # at 1 kW it goes round in a nanosecond
    with work(zones) as used:
        counter.set(1)
    assert used.joules is None


@pytest.mark.parametrize("what", ["nothing", "no number", "gone"])
def test_a_cpu_that_does_not_tell_is_no_error(zones: Path, what: str) -> None:
    if what != "nothing":
        counter = powercap.zone(zones, "0", "package-0")
    if what == "no number":
        (counter.place / "energy_uj").write_text("much")
    with work(zones) as used:
        if what == "gone":
            (counter.place / "energy_uj").unlink()
    assert used.joules is None


def test_work_without_a_lease_and_work_that_fails_are_told_nothing(zones: Path) -> None:
    powercap.zone(zones, "0", "package-0")
    with energy.measured() as used:
        pass
    assert used.joules is None
    with pytest.raises(ZeroDivisionError), work(zones) as broken:
        raise ZeroDivisionError
    assert broken.joules is None


def test_a_counter_for_root_alone_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    energy._say.cache_clear()
    with tempfile.TemporaryDirectory() as made, caplog.at_level(logging.INFO):
        folder, me = Path(made), os.geteuid()
        counter = powercap.zone(folder, "0", "package-0")
        (counter.place / "energy_uj").chmod(0)
        folder.chmod(0o755)
        try:
            os.seteuid(me or 65534)
            assert energy.packages(folder) == energy.packages(folder) == []
        finally:
            os.seteuid(me)
    [told] = caplog.messages
    assert "energy_uj is for root alone" in told


@pytest.fixture(scope="module")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the imitated library."""
    compiler, folder = shutil.which("cc"), tmp_path_factory.mktemp("nvml")
    if compiler is None:
        pytest.skip("no C compiler (cc) is installed")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(NVML)], check=True)
    return folder


def on_a_gpu(folder: Path, name: str, *cases: tuple[str, str, int]) -> list[float | None]:
    """What tasks are told in a process of their own: counter before, counter after, slots of four."""
    counter = folder / "counter"
    env = os.environ | {"LD_LIBRARY_PATH": str(folder), "NVML_COUNTER": str(counter)}
    command = [sys.executable, "-c", ON_A_GPU, str(counter), name, json.dumps(cases)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    told: list[float | None] = json.loads(done.stdout)
    return told


def test_a_gpu_is_found_by_its_uuid_and_tells_by_its_driver(nvml: Path) -> None:
    told = on_a_gpu(
        nvml, GPU,
        ("5000000000000", "5000000008000", 1), ("0", "8500", 4),
        ("", "", 1),  # before Volta
        ("9000", "10", 1),  # the driver was loaded anew
    )  # fmt: skip
    assert told == [2.0, 8.5, None, None]


def test_what_does_not_count_for_itself_does_not_tell(
    nvml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another GPU, a slice of one, and a machine without the driver."""
    assert on_a_gpu(nvml, GPU.replace("0f1e", "ffff"), ("0", "1", 1)) == [None]
    monkeypatch.setenv("NVML_SLICED", "1")
    assert on_a_gpu(nvml, GPU, ("0", "1", 1)) == [None]
    if not shutil.which("nvidia-smi"):
        assert on_a_gpu(tmp_path, GPU, ("0", "1", 1)) == [None]
