"""Orders to play through: as many as are expected, made of what videos have cost here."""

from __future__ import annotations

import random
from collections.abc import Sequence

from avatarlab_ops.errors import InputError
from avatarlab_ops.hosting.simulation import Order
from avatarlab_ops.hosting.workload import Seen, workload

SEED = 1  # every number of GPUs is given the same orders
MOST = 100_000  # orders that are played through: 4,000 take a second for each number of GPUs


def drawn(
    seen: Sequence[Seen],
    videos_per_hour: float,
    hours: float,
    *,
    minutes: float | None = None,
    at_once: bool = False,
) -> list[Order]:
    """Orders of so many hours, at random times (Poisson) or all at the beginning.

    Each is like a video drawn from those here; with `minutes`, of that length by the lines through them.
    Raises InputError when nothing was published yet, nothing would be asked for, or more than MOST.
    """
    if videos_per_hour * hours > MOST:
        raise InputError(
            f"{videos_per_hour:g} videos an hour for {hours:g} hours are more than {MOST:,}, which one "
            "simulation plays through: ask for fewer hours"
        )
    lines, chance = workload(seen), random.Random(SEED)  # noqa: S311 (no secret)
    fixed = None if minutes is None else lines.seconds(minutes)
    orders: list[Order] = []
    at_s = 0.0
    while (at_s := at_s + chance.expovariate(videos_per_hour / 3600)) < hours * 3600:
        seconds = fixed or chance.choice(seen).seconds
        orders.append(Order(0.0 if at_once else at_s, seconds))
    if not orders:
        raise InputError(f"{videos_per_hour:g} videos an hour for {hours:g} hours are none; ask for more")
    return orders
