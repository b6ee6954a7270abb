"""What videos cost by the way they are hosted: this installation's seconds times the prices of a file."""

from __future__ import annotations

import math
from dataclasses import dataclass

from avatarlab_ops.hosting.prices import Offer, Prices
from avatarlab_ops.hosting.workload import Workload


@dataclass(frozen=True)
class Demand:
    """So many videos an hour, around the clock, of so many minutes each."""

    videos_per_hour: float
    minutes: float


@dataclass(frozen=True)
class Cost:
    """What one offer costs. `usd_per_month` None: it cannot be said; `missing`: what is to be filled in.

    Where something fixed is missing, the sums are without it: the least that it costs.
    """

    offer: Offer
    machines: int
    usd_per_month: float | None
    usd_per_video_minute: float | None
    missing: tuple[str, ...]


def machines(prices: Prices, offer: Offer, work: Workload, demand: Demand) -> int:
    """Machines with a GPU each that the demand needs, at the planned utilisation; at least one."""
    an_hour = 3600 * prices.utilisation
    gpu = demand.videos_per_hour * work.gpu_s(demand.minutes) * offer.factor / an_hour
    cpu = demand.videos_per_hour * work.cpu_s(demand.minutes) / prices.cpu_tasks_per_machine / an_hour
    return max(1, math.ceil(gpu), math.ceil(cpu))


def cost(prices: Prices, offer: Offer, work: Workload, demand: Demand) -> Cost:
    """What the demand costs by an offer."""
    needed = machines(prices, offer, work, demand)
    hour = offer.box.usd_per_hour(prices.hours_per_month) if offer.box else offer.usd_per_gpu_hour
    missing = tuple(offer.missing())
    if hour is None:
        return Cost(offer, needed, None, None, missing)
    busy = demand.videos_per_hour * work.gpu_s(demand.minutes) * offer.factor / 3600
    gpus = busy if offer.billed == "busy" else needed
    fixed = offer.least_fixed_usd_per_hour if offer.fixed_usd_per_hour is None else offer.fixed_usd_per_hour
    month = (gpus * hour + fixed) * prices.hours_per_month
    minutes = demand.videos_per_hour * demand.minutes * prices.hours_per_month
    return Cost(offer, needed, month, month / minutes, missing)
