"""A folder like /sys/class/powercap, whose counters a test moves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROUND_UJ = 262_143_328_850  # of many processors of Intel


@dataclass(frozen=True)
class Zone:
    """One counter; `name` as Linux has it: package-0, core, dram, psys."""

    place: Path

    def set(self, microjoules: int) -> None:
        """Let it stand there; a reader sees all of the number, as of the kernel's file."""
        draft = self.place / "draft"
        draft.write_text(f"{microjoules}\n")
        draft.replace(self.place / "energy_uj")


def zone(folder: Path, number: str, name: str, microjoules: int = 0, round_uj: int = ROUND_UJ) -> Zone:
    """A zone of `folder`, intel-rapl:NUMBER."""
    made = Zone(folder / f"intel-rapl:{number}")
    made.place.mkdir(parents=True)
    (made.place / "name").write_text(f"{name}\n")
    (made.place / "max_energy_range_uj").write_text(f"{round_uj}\n")
    made.set(microjoules)
    return made
