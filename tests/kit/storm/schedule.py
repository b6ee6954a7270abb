"""Which faults come when, drawn from a seed alone: the same seed gives the same storm again.

Every kind draws from a stream of its own, so a kind that cannot be made on one machine leaves the others
as they are on another.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

STORES = ("postgres", "mongo", "s3", "redis")
PARTS = ("scheduler", "api-server", "dag-processor", "triggerer")
WORKERS = ("worker-1", "worker-2")
TASK, SUPERVISOR, DISK, CLOCK = "task", "supervisor", "disk", "clock"

# Parts of a kind's faults that fall on each target. A task's process is small and many; a part of Airflow
# needs a quarter of a minute to be back, so it is killed as often as it can be met alive.
PROCESSES = {TASK: 8, SUPERVISOR: 1, **dict.fromkeys(WORKERS + PARTS + STORES, 2)}
TARGETS: dict[str, dict[str, int]] = {
    "kill": PROCESSES,
    "pause": PROCESSES,
    "partition": dict.fromkeys(STORES, 1),
    "slow": dict.fromkeys(STORES, 1),
    "full disk": {DISK: 1},
    "clock step": {CLOCK: 1},
}
KINDS = tuple(TARGETS)

LASTS_S = {
    "kill": (0.0, 0.0), "pause": (0.5, 6.0), "partition": (0.5, 4.0), "slow": (1.0, 6.0),
    "full disk": (0.5, 2.5), "clock step": (0.5, 2.5),
}  # fmt: skip
SLOW_S = (0.02, 0.3)  # by which each answer of a slow store is late
STEP_S = (-45.0, 45.0)  # by which a clock jumps: beyond the heartbeat's limit of 30 s, within a token's life
SILENT = 0.5  # of the partitions swallow what is sent; the others refuse connections and cut those there are


@dataclass(frozen=True)
class Fault:
    """One fault: begun `at_s` seconds after the storm's begin, undone `lasts_s` later.

    `size`: seconds that answers are late or that the clock jumps; of a partition 1 if it is silent, else 0.
    """

    at_s: float
    kind: str
    target: str
    lasts_s: float
    size: float = 0.0


def draw(seed: int, minutes: float, each: int, kinds: Collection[str] = KINDS) -> list[Fault]:
    """The faults of a storm in the order of their begin, `each` of every kind."""
    if minutes <= 0 or each < 0:
        raise ValueError(f"a storm of {minutes} minutes with {each} faults of a kind: give positive numbers")
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"there are no faults {sorted(unknown)}; there are {', '.join(KINDS)}")
    found = [fault for kind in KINDS if kind in kinds for fault in _of_kind(seed, minutes, each, kind)]
    return sorted(found, key=lambda fault: (fault.at_s, KINDS.index(fault.kind)))


def _of_kind(seed: int, minutes: float, each: int, kind: str) -> list[Fault]:
    """Two faults of a kind never overlap on one target: the later one then begins where the earlier ends."""
    chance = random.Random(f"{seed} {kind}")  # noqa: S311 (the same storm under the same seed)
    free: dict[str, float] = {}
    found = []
    for at_s in sorted(chance.uniform(0, minutes * 60) for _ in range(each)):
        names, weights = zip(*TARGETS[kind].items(), strict=True)
        [target] = chance.choices(names, weights)
        lasts_s, size = chance.uniform(*LASTS_S[kind]), _size(chance, kind)
        begins_s = max(at_s, free.get(target, 0.0))
        free[target] = begins_s + lasts_s
        found.append(Fault(round(begins_s, 3), kind, target, round(lasts_s, 3), round(size, 3)))
    return found


def _size(chance: random.Random, kind: str) -> float:
    match kind:
        case "slow":
            return chance.uniform(*SLOW_S)
        case "clock step":
            return chance.uniform(*STEP_S)
        case "partition":
            return float(chance.random() < SILENT)
    return 0.0
