"""A wall clock that can be stepped for a site's processes alone, by a small library that they load first."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


@dataclass(frozen=True)
class Clock:
    """The clock of all processes that run under `environment`."""

    library: Path
    place: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which a process, and all that it starts, has this clock."""
        return {"LD_PRELOAD": str(self.library), "STORM_CLOCK": str(self.place)}

    def step(self, seconds: float) -> None:
        """Let it be so many seconds before (or, below 0, behind) the true time; one write, seen at once."""
        with self.place.open("r+b", buffering=0) as file:
            file.write(struct.pack("=q", round(seconds * 1e9)))


def built(folder: Path) -> Clock | str:
    """A clock whose library is compiled into `folder`, or why there can be none."""
    compiler = shutil.which("cc")
    if compiler is None:
        return "no C compiler (cc) is installed"
    clock = Clock(folder / "clock.so", folder / "clock")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(clock.library), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"{compiler} refuses {SOURCE.name}: {done.stderr.strip()[-300:]}"
    clock.place.write_bytes(bytes(8))
    return clock
