"""Joules that a granted device used while work ran, by counters that devices keep themselves.

NVIDIA's GPUs count in their driver (NVML), CPUs in Linux's powercap (RAPL: processors of Intel and AMD). A
device that does not tell, or not for the whole time, gives None: nothing is estimated, no work fails of it.
What is told is a share: who holds k of a device's n slots is told k/n of what it used, whoever used it.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from avatarlab_ops.engines import device

POWERCAP = Path("/sys/class/powercap")
LOOK_S = 20.0  # the smallest counters of CPUs hold 65 kJ: they go round once in two minutes of 500 W
MOST_W = 1000.0  # of one CPU; no more than a whole round at that power may pass unseen
Counter = Callable[[], float | None]  # of joules; None: it does not tell
log = logging.getLogger(__name__)


@dataclass
class Used:
    """`joules` of the task's share, known once the work has ended; None: its device does not tell."""

    joules: float | None = None


@contextmanager
def measured() -> Iterator[Used]:
    """Joules that the device of this context's lease uses in the block; nothing without a lease."""
    grant, used = device.granted(), Used()
    if grant is None:
        yield used
    elif grant.device.kind == "cuda":
        joules = gpu_counter(grant.device.name)
        begun = joules()
        yield used
        ended = joules()
        if begun is not None and ended is not None and begun <= ended:  # a driver loaded anew begins at 0
            used.joules = round((ended - begun) * grant.slots / grant.device.slots, 3)
    else:
        with _looked_at(packages(POWERCAP)) as joules:
            yield used
            found = joules()
        if found is not None:
            places = sum(one.slots for one in device.devices(cuda=False))  # they share this machine's CPUs
            used.joules = round(found * grant.slots / places, 3)


def _silent() -> None:
    """The counter of what does not tell."""


@cache
def gpu_counter(name: str) -> Counter:
    """What the GPU of that `Device.name` has used since its driver was loaded; None: it does not tell.

    By calls of NVML, the C library of the driver: each answers 0, or a number that is an error.
    """
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
        begin, find = nvml.nvmlInit_v2, nvml.nvmlDeviceGetHandleByUUID
        sliced, ask = nvml.nvmlDeviceGetMigMode, nvml.nvmlDeviceGetTotalEnergyConsumption
    except (OSError, AttributeError):
        return _silent
    gpu = ctypes.c_void_p()
    if begin() or find(name.replace("cuda-", "GPU-", 1).encode(), ctypes.byref(gpu)):
        return _silent
    now, later = ctypes.c_uint(), ctypes.c_uint()
    if sliced(gpu, ctypes.byref(now), ctypes.byref(later)) == 0 and now.value:
        return _silent  # the driver does not count the joules of a slice

    def joules() -> float | None:
        millijoules = ctypes.c_ulonglong()
        return None if ask(gpu, ctypes.byref(millijoules)) else millijoules.value / 1000

    return joules


class Package:
    """A CPU's counter of microjoules under powercap, which begins anew beyond `max_energy_range_uj`.

    Raises OSError or ValueError where it cannot be read.
    """

    def __init__(self, zone: Path) -> None:
        self._counter = zone / "energy_uj"
        self._round = int((zone / "max_energy_range_uj").read_text())
        self.joules = 0.0  # since this was made
        self.lost = False  # a whole round may have passed unseen
        self._at, self._last = self._read()

    def look(self) -> None:
        """Count what was used since the last look."""
        at, now = self._read()
        if (at - self._at) * MOST_W > self._round / 1e6:
            self.lost = True
        self.joules += (now - self._last + (self._round if now < self._last else 0)) / 1e6
        self._at, self._last = at, now

    def _read(self) -> tuple[float, int]:
        return time.clock_gettime(time.CLOCK_BOOTTIME), int(self._counter.read_text())


def packages(powercap: Path) -> list[Package]:
    """The counters of whole CPUs, without those of parts (core, dram) and of the whole machine (psys)."""
    try:
        zones = [zone for zone in powercap.glob("intel-rapl:*") if _name(zone).startswith("package")]
        return [Package(zone) for zone in zones]
    except FileNotFoundError:
        return []  # a container hides what the links of that folder lead to
    except PermissionError as error:
        _say(f"{error.filename} is for root alone (docs/operations.md, Energy)")
    except (OSError, ValueError) as error:
        _say(str(error))
    return []


def _name(zone: Path) -> str:
    return (zone / "name").read_text()


@cache
def _say(why: str) -> None:
    """Once a process."""
    log.info("the CPU does not tell what energy it uses: %s", why)


@contextmanager
def _looked_at(cpus: list[Package]) -> Iterator[Counter]:
    """What all of them have used when it is called; they are looked at often enough meanwhile."""
    if not cpus:
        yield _silent
        return
    over, failed = threading.Event(), threading.Event()

    def look() -> None:
        try:
            for cpu in cpus:
                cpu.look()
        except (OSError, ValueError):
            failed.set()

    def watch() -> None:
        while not over.wait(LOOK_S):
            look()

    def joules() -> float | None:
        over.set()
        watcher.join()
        look()
        lost = failed.is_set() or any(cpu.lost for cpu in cpus)
        return None if lost else sum(cpu.joules for cpu in cpus)

    watcher = threading.Thread(target=watch, name="energy", daemon=True)
    watcher.start()
    try:
        yield joules
    finally:
        over.set()
