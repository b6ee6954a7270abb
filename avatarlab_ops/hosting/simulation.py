"""How long renders wait and take on N GPUs: their stages in the pools' queues, event by event (simpy).

A stage begins when those before it have ended and its pool has a place; first come, first served, as one
caller's orders are. Each task costs its boundary besides, in its place. A place does one second of work a
second whatever its neighbours do, so GPUs that share a machine too small for them are slower than this says.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avatarlab_ops.graph import BY_NAME, STAGES, before
from avatarlab_ops.renders.prediction import BOUNDARY_S

if TYPE_CHECKING:
    import simpy

AFTER = {name: before(name) for name in STAGES}


@dataclass(frozen=True)
class Order:
    """A render: when it is asked for, and the seconds of work of each stage that is no skipped task."""

    at_s: float
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Places:
    """How many tasks work at a time, in each pool and on all workers; what one costs besides its work."""

    gpu: int
    cpu: int
    workers: int
    boundary_s: float = BOUNDARY_S


def machines(count: int) -> Places:
    """Machines with one GPU each, as they are set up: one task of a GPU at a time, four others beside it."""
    return Places(gpu=count, cpu=4 * count, workers=5 * count)


@dataclass(frozen=True)
class Outcome:
    """From the first order to the last end, and of each render, in its order: from order to end."""

    makespan_s: float
    took_s: tuple[float, ...]
    waited_s: tuple[float, ...]  # of that, what an idle site would not have taken

    def p90_wait_s(self) -> float:
        """What nine of ten renders wait at most."""
        return sorted(self.waited_s)[math.ceil(0.9 * len(self.waited_s)) - 1]


def simulate(orders: Sequence[Order], places: Places) -> Outcome:
    """Play orders through; the same orders give the same outcome."""
    import simpy

    site = simpy.Environment()
    pools = {"gpu": simpy.Resource(site, places.gpu), "cpu": simpy.Resource(site, places.cpu)}
    workers = simpy.Resource(site, places.workers)
    ended: dict[int, float] = {}

    def stage(name: str, seconds: float | None, after: list[simpy.Event]) -> Generator[Any, Any, None]:
        yield site.all_of(after)
        if seconds is not None:
            with pools[BY_NAME[name].pool].request() as place:
                yield place  # first, as Airflow queues no task beyond its pool: it holds up no worker
                with workers.request() as worker:
                    yield worker
                    yield site.timeout(seconds + places.boundary_s)

    def render(number: int, order: Order) -> Generator[Any, Any, None]:
        yield site.timeout(order.at_s)
        tasks: dict[str, simpy.Event] = {}
        for name, seconds in _tasks(order):
            tasks[name] = site.process(stage(name, seconds, [tasks[one] for one in AFTER[name]]))
        yield site.all_of(list(tasks.values()))
        ended[number] = site.now

    for number, order in enumerate(orders):
        site.process(render(number, order))
    site.run()
    took = tuple(ended[number] - order.at_s for number, order in enumerate(orders))
    waited = tuple(max(0.0, t - alone_s(order, places)) for t, order in zip(took, orders, strict=True))
    return Outcome(max(ended.values()) - min(order.at_s for order in orders), took, waited)


def alone_s(order: Order, places: Places) -> float:
    """Seconds that an order takes on a site with a place for each of its stages."""
    ends: dict[str, float] = {}
    for name, seconds in _tasks(order):
        begun = max((ends[one] for one in AFTER[name]), default=0.0)
        ends[name] = begun + (0.0 if seconds is None else seconds + places.boundary_s)
    return max(ends.values())


def _tasks(order: Order) -> list[tuple[str, float | None]]:
    """Seconds of each task, None: skipped; what is done within another stage's task is part of it."""
    sums: dict[str, float] = {}
    for name, seconds in order.seconds.items():
        task = BY_NAME[name].within or name
        sums[task] = sums.get(task, 0.0) + seconds
    return [(name, sums.get(name)) for name in STAGES]
