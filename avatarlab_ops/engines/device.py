"""Which device an engine runs on, and the lease: never more work on a device than it has slots for.

A slot is a file held by flock under a local folder that every process of the machine shares: the kernel
frees it when its holder ends, however it ends. AVATARLAB_DEVICES overrides what is found, as NAME:SLOTS
separated by commas: "cpu:2", "cuda0:1,cuda1:1", or, for tests, "sim0:2,sim1:1" that compute on the CPU.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from avatarlab_ops import environment, tracing
from avatarlab_ops.engines.locks import Race, holder
from avatarlab_ops.errors import DeviceFailed, InputError

if TYPE_CHECKING:
    import torch

SLOT_BYTES = 6 << 30  # of GPU memory: one memory class (EngineInfo.slots)
FOLDER = "devices"  # of the state folder: the slots of this machine
CPU_SLOTS = 2  # two tasks at once where there is no GPU
_DEVICE = re.compile(r"(?P<name>(?:cpu|sim|cuda)\d*):(?P<slots>[1-9]\d*)")
# How torch says that the GPU or a library on it failed; from then on all fails that the process asks of it.
_FAULTS = re.compile(r"(CUDA|CUDA driver|CUDA unknown|cuDNN|cuFFT|cusolver) error|No CUDA GPUs are available")
_WRONG_BUILD = "no kernel image"  # a CUDA error, too, but a new process meets it again
TELL_EVERY_S = 300.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Device:
    """`name` is the same in every process of the machine, `torch` is what torch calls it in this one."""

    name: str
    torch: str
    slots: int

    @property
    def kind(self) -> str:
        """Either cpu or cuda."""
        return self.torch.partition(":")[0]


@dataclass(frozen=True)
class Grant:
    """Slots of a device, held by this process."""

    device: Device
    slots: int


_granted: ContextVar[Grant | None] = ContextVar("granted", default=None)


def devices(*, cuda: bool) -> tuple[Device, ...]:
    """The devices an engine may use: all GPUs if it can use one and there is one, else the CPU.

    Only asking for `cuda` imports torch. Raises InputError for a malformed AVATARLAB_DEVICES, and for a GPU
    in it that is not here.
    """
    given = named()
    gpus = {name: slots for name, slots in given.items() if name.startswith("cuda")}
    if cuda and (found := tuple(map(_named_gpu, gpus, gpus.values())) if given else _gpus()):
        return found
    cpus = tuple(Device(name, "cpu", slots) for name, slots in given.items() if name not in gpus)
    return cpus or (Device("cpu", "cpu", CPU_SLOTS),)


def places() -> int:
    """How many tasks can hold a slot at the same time: what the pool `gpu` offers on this machine."""
    return sum(device.slots for device in devices(cuda=True))


def granted() -> Grant | None:
    """What this context holds already; work within it needs no lease of its own."""
    return _granted.get()


def current() -> Grant:
    """What this context was granted; without a lease (a script, a test) a slot of the best device."""
    return _granted.get() or Grant(devices(cuda=True)[0], 1)


def threads() -> int:
    """Threads an engine may use on the CPU: AVATARLAB_CPU_THREADS, or the cores' share of its slots."""
    grant = _granted.get()
    share = grant.slots / grant.device.slots if grant else 1 / CPU_SLOTS
    cores = len(os.sched_getaffinity(0))
    return max(1, environment.read().cpu_threads or int(cores * share))


def for_torch() -> torch.device:
    """The granted device, torch's threads set to this process's share of the cores."""
    import torch

    torch.set_num_threads(threads())
    return torch.device(current().device.torch)


@contextmanager
def lease(
    folder: Path,
    among: Sequence[Device],
    *,
    slots: int,
    purpose: str,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Grant]:
    """Hold `slots` slots (at most all) of one of the devices, as `current()` tells in this context.

    Who asks first is served first, so small requests do not starve a large one. A busy device is no failure:
    its holders are waited for as long as they live. `check` is called every second of waiting and may raise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    owner = _slots(folder, among)
    turn_file = folder / f"{among[0].kind}.turn"
    look = _telling(purpose, [turn_file, *owner], check)
    with Race(owner, purpose) as race:
        with (
            tracing.span("wait for device", slots=slots, purpose=purpose),
            Race([turn_file], f"{purpose}, next in line") as turn,
        ):
            turn.next(look)
            grant = _first_with(race, owner, slots, look)
        token = _granted.set(grant)
        try:
            yield grant
        finally:
            _granted.reset(token)
            if grant.device.kind == "cuda":
                give_back()


def give_back() -> None:
    """Return to the GPU what torch keeps of it for later, beside what is in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        with suppress(RuntimeError):  # a GPU that failed: whoever used it has told so, or will
            torch.cuda.empty_cache()


def _telling(purpose: str, files: Sequence[Path], check: Callable[[], None]) -> Callable[[], None]:
    """`check` that says in the log who is waited for, at first and then now and again."""
    mine, next_s = f"pid {os.getpid()} ({purpose}", time.monotonic()

    def look() -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + TELL_EVERY_S
            notes = [note for file in files if (note := holder(file)) and not note.startswith(mine)]
            log.warning("%s waits for a device; held by %s", purpose, "; ".join(notes) or "nobody any more")
        check()

    return look


@contextmanager
def gpu_faults(what: str) -> Iterator[None]:
    """Raise DeviceFailed, beginning with `what`, where the GPU fails within; a new process may succeed."""
    try:
        yield
    except RuntimeError as error:
        if not _FAULTS.search(str(error)) or _WRONG_BUILD in str(error):
            raise
        said = str(error).partition("\n")[0]  # torch's advice for programmers follows
        raise DeviceFailed(f"{what}: the GPU failed ({said}); try again in a new process") from error


def holders(folder: Path) -> dict[str, str]:
    """Each slot of this machine that is held now (DEVICE.NUMBER), and by whom."""
    notes = {file.name: holder(file) for file in sorted(folder.glob("*.[0-9]*"))}
    return {slot: note for slot, note in notes.items() if note is not None}


def _slots(folder: Path, among: Sequence[Device]) -> dict[Path, Device]:
    """A file for every slot, the first of every device before the second of any: load spreads."""
    rounds = range(max(device.slots for device in among))
    return {folder / f"{device.name}.{i}": device for i in rounds for device in among if i < device.slots}


def _first_with(race: Race, owner: dict[Path, Device], slots: int, check: Callable[[], None]) -> Grant:
    """Win slots until one device has enough, and give the others back."""
    won: dict[Device, list[Path]] = {}
    while True:
        file = race.next(check)
        device = owner[file]
        mine = won.setdefault(device, [])
        mine.append(file)
        if len(mine) == min(slots, device.slots):
            race.keep(mine)
            return Grant(device, len(mine))


def named() -> dict[str, int]:
    """Slots by name, as AVATARLAB_DEVICES gives them; nothing is asked of a device.

    Raises InputError where it is malformed.
    """
    given = environment.read().devices
    found = [_DEVICE.fullmatch(part.strip()) for part in given.split(",") if part.strip()]
    if None in found:
        raise InputError(
            f"AVATARLAB_DEVICES={given!r}: write NAME:SLOTS, separated by commas, for example cuda0:1,cuda1:1"
        )
    return {match["name"]: int(match["slots"]) for match in found if match}


def _named_gpu(name: str, slots: int) -> Device:
    import torch

    index, count = int(name.removeprefix("cuda") or 0), torch.cuda.device_count()
    if index >= count:
        raise InputError(
            f"AVATARLAB_DEVICES names {name}; PyTorch {torch.__version__} finds {count} GPUs here, counted "
            "from cuda0. Name one of those, or none (cpu:2), or run `make setup` for the build with CUDA"
        )
    return _gpu(index, slots)


def _gpus() -> tuple[Device, ...]:
    if metadata.version("torch").endswith("+cpu"):
        return ()
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    memory = (torch.cuda.get_device_properties(index).total_memory for index in range(count))
    return tuple(_gpu(index, max(1, size // SLOT_BYTES)) for index, size in enumerate(memory))


def _gpu(index: int, slots: int) -> Device:
    """Named by its UUID: CUDA_VISIBLE_DEVICES gives one GPU another number in every process."""
    import torch

    return Device(f"cuda-{torch.cuda.get_device_properties(index).uuid}", f"cuda:{index}", slots)


if __name__ == "__main__":  # a process of its own, so that a long-lived one need not load torch
    try:
        print(places())
    except InputError as error:
        print(error)
        sys.exit(error.exit_code)
