"""What limits an installation at so many videos an hour: each part's seconds an hour, beside what one has.

Parts of the site are counted in processor seconds a video, as `python -m benchmarks.fleet` measured them (see
`limits.toml` for machine and date); GPU, stages without one and bytes are this installation's own.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from avatarlab_ops.hosting.cost import Demand
from avatarlab_ops.hosting.workload import Workload

MEASURED = Path(__file__).with_name("limits.toml")
STEPS = (10.0, 100.0, 1000.0)  # videos an hour


class Part(BaseModel):
    """A part of the site. `seconds`: of a processor for each video; `cores`: how many one of it can use."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    seconds: float = Field(ge=0)
    cores: float = Field(gt=0)
    more: str  # what there is more of when one is not enough


class Measured(BaseModel):
    """The parts as they were measured, and the line to S3 that is reckoned with."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    s3_bytes_per_s: float = Field(gt=0)
    part: tuple[Part, ...]


@dataclass(frozen=True)
class Limit:
    """How much of one unit a part needs: above 1 it takes more of them. `sum`: the arithmetic, in words."""

    name: str
    share: float
    units: int
    sum: str
    more: str


def measured(path: Path = MEASURED) -> Measured:
    """What each part of the site costs a video."""
    return Measured.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def limits(parts: Measured, work: Workload, demand: Demand, *, cpu_tasks: int, at_most: float) -> list[Limit]:
    """Every part at a demand, the one that binds first. `at_most`: share of its time that a unit works."""
    an_hour, minutes = demand.videos_per_hour, demand.minutes
    rows = [
        ("GPU", work.gpu_s(minutes), 1.0, "machines with a GPU"),
        ("stages without a GPU", work.cpu_s(minutes), float(cpu_tasks), "machines, or a larger pool `cpu`"),
        *((part.name, part.seconds, part.cores, part.more) for part in parts.part),
    ]
    found = [_limit(name, an_hour * s / (3600 * units), at_most, _seconds(an_hour, s, units), more)
             for name, s, units, more in rows]  # fmt: skip
    moved, line = work.moved(minutes), parts.s3_bytes_per_s
    told = f"{an_hour:g} x {moved / 1e6:.1f} MB / (3600 s x {line / 1e6:g} MB/s)"
    found.append(
        _limit("S3's line", an_hour * moved / (3600 * line), at_most, told, "lines, or S3 near the workers")
    )
    return sorted(found, key=lambda one: -one.share)


def _limit(name: str, share: float, at_most: float, told: str, more: str) -> Limit:
    return Limit(name, share, max(1, math.ceil(share / at_most)), f"{told} = {share:.3f}", more)


def _seconds(an_hour: float, seconds: float, units: float) -> str:
    of = f" x {units:g}" if units != 1 else ""
    return f"{an_hour:g} x {seconds:.2f} s / (3600 s{of})"
