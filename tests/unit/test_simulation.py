"""The simulation beside queues whose answer is known."""

from __future__ import annotations

import json
import random
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatarlab_ops.graph import GPU_STAGES
from avatarlab_ops.hosting.simulation import Order, Places, alone_s, machines, simulate

AMPLE = 10_000
SECONDS = st.floats(0.1, 100)
RUNS = json.loads((Path(__file__).parents[2] / "benchmarks" / "fleet.json").read_text(encoding="utf-8"))
WHOLE = st.fixed_dictionaries(
    dict.fromkeys(("admit", "speech", "face", "matte", "lipsync", "composite", "publish"), SECONDS)
)


def places(gpus: int, boundary_s: float = 0.0) -> Places:
    return Places(gpu=gpus, cpu=AMPLE, workers=AMPLE, boundary_s=boundary_s)


@pytest.mark.parametrize("run", RUNS, ids=[f"{run['workers']} workers" for run in RUNS])
def test_a_real_run_took_what_is_simulated_within_fifteen_percent(run: dict[str, Any]) -> None:
    """The boundary was measured before the runs: `python -m benchmarks.fleet`."""
    orders = [Order(0.0, seconds) for seconds in run["orders"]]
    known = Places(gpu=2, cpu=4, workers=run["workers"], boundary_s=run["boundary_s"])
    assert simulate(orders, known).makespan_s == pytest.approx(run["took_s"], rel=0.15)


def test_one_render_takes_its_longest_way_through_the_graph() -> None:
    seconds = {"admit": 1.0, "speech": 4.0, "face": 2.0, "matte": 9.0, "lipsync": 3.0, "composite": 2.0}
    alone = simulate([Order(5.0, seconds | {"publish": 1.0})], places(2, boundary_s=0.5))
    assert alone.took_s == (
        1.5 + 9.5 + 2.5 + 1.5,
    )  # admit, matte (longer than speech, lipsync), composite, publish
    assert alone.p90_wait_s() == 0


def test_a_schedule_by_hand_on_one_gpu_and_on_two() -> None:
    three = [Order(0.0, {"speech": 4.0}), Order(0.0, {"speech": 3.0}), Order(1.0, {"speech": 2.0})]
    one, two = simulate(three, places(1)), simulate(three, places(2))
    assert (one.makespan_s, one.took_s, one.waited_s) == (9.0, (4.0, 7.0, 8.0), (0.0, 4.0, 6.0))
    assert (two.makespan_s, two.took_s, two.waited_s) == (5.0, (4.0, 3.0, 4.0), (0.0, 0.0, 2.0))
    assert one.p90_wait_s() == 6.0


def test_workers_that_do_one_task_at_a_time_are_the_limit() -> None:
    two = [Order(0.0, {"speech": 4.0}), Order(0.0, {"face": 3.0})]
    assert simulate(two, Places(gpu=1, cpu=4, workers=1, boundary_s=0.0)).makespan_s == 7.0
    assert simulate(two, Places(gpu=1, cpu=4, workers=2, boundary_s=0.0)).makespan_s == 4.0


def test_a_task_that_waits_for_its_pool_keeps_no_worker_from_others() -> None:
    """Two GPU tasks of 4 s on one GPU, then one of 3 s without: the second worker takes it at once."""
    three = [Order(0.0, {"speech": 4.0}), Order(0.0, {"speech": 4.0}), Order(0.0, {"face": 3.0})]
    places = Places(gpu=1, cpu=4, workers=2, boundary_s=0.0)
    assert simulate(three, places).took_s == (4.0, 8.0, 3.0)


def test_random_orders_of_equal_work_wait_as_pollaczek_and_khinchine_say() -> None:
    """M/D/1: the mean wait is rho / (2 (1 - rho)) services."""
    service_s, rho, at_s = 10.0, 0.7, 0.0
    chance = random.Random(7)  # noqa: S311 (no secret)
    orders = []
    for _ in range(5_000):
        at_s += chance.expovariate(rho / service_s)
        orders.append(Order(at_s, {"speech": service_s}))
    expected = rho / (2 * (1 - rho)) * service_s
    assert statistics.fmean(simulate(orders, places(1)).waited_s) == pytest.approx(expected, rel=0.15)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=30), st.integers(1, 8))
def test_of_work_in_one_stage_more_gpus_make_no_render_later(
    wishes: list[tuple[float, float]], gpus: int
) -> None:
    orders = [Order(at, {"lipsync": work}) for at, work in sorted(wishes)]
    fewer, more = simulate(orders, places(gpus)), simulate(orders, places(gpus + 1))
    assert all(b <= a + 1e-6 for a, b in zip(fewer.took_s, more.took_s, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(WHOLE, min_size=1, max_size=12), st.integers(1, 8))
def test_whole_renders_are_done_within_grahams_bounds(wishes: list[dict[str, float]], gpus: int) -> None:
    """Where stages follow each other more GPUs may make it longer (Graham 1966), but within bounds."""
    orders = [Order(0.0, seconds) for seconds in wishes]
    longest = max(alone_s(order, places(gpus)) for order in orders)
    work = sum(order.seconds[name] for order in orders for name in GPU_STAGES if name in order.seconds)
    makespan = simulate(orders, places(gpus)).makespan_s
    assert max(longest, work / gpus) <= makespan + 1e-6
    assert makespan <= longest + work / gpus + 1e-6


def test_what_was_found_costs_no_task() -> None:
    assert simulate([Order(0.0, {"admit": 1.0, "publish": 1.0})], places(1, boundary_s=1.0)).makespan_s == 4.0
    assert machines(3) == Places(gpu=3, cpu=12, workers=15)
