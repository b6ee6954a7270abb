"""What an installation costs and how many GPUs it needs: cost, simulate."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avatarlab_ops.cli.common import FORM, echo, known_stores

if TYPE_CHECKING:
    from avatarlab_ops.hosting.cost import Cost
    from avatarlab_ops.hosting.limits import Limit
    from avatarlab_ops.hosting.workload import Seen


class Amount(click.FloatRange):
    """A number above nought, and up to `most`; nan lies within every range of click's, and is none."""

    def __init__(self, most: float) -> None:
        super().__init__(0, most, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number. Fails as click's own types do."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


VIDEOS = click.option(
    "--videos-per-hour", type=Amount(1e6), default=10.0, show_default=True,
    help="Videos that are ordered in an hour, around the clock.",
)  # fmt: skip
MINUTES = click.option(
    "--minutes",
    type=Amount(1e4),
    help="Length of each video in minutes. Default: the mean of the videos published here.",
)


@click.command(short_help="What videos cost by the way they are hosted")
@VIDEOS
@MINUTES
@click.option(
    "--prices", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Your own prices instead of avatarlab_ops/hosting/prices.toml.",
)  # fmt: skip
@FORM
def cost(videos_per_hour: float, minutes: float | None, file: Path | None, form: str) -> None:
    """What videos cost by the way they are hosted, from the rates measured here; what binds as they grow."""
    from avatarlab_ops.hosting import cost as reckoning
    from avatarlab_ops.hosting import limits, prices
    from avatarlab_ops.hosting.workload import workload

    known = prices.read(file or prices.OURS)
    work = workload(_seen())
    demand = reckoning.Demand(videos_per_hour, minutes or work.mean_minutes)
    costs = [reckoning.cost(known, offer, work, demand) for offer in known.offer]
    steps = {
        step: limits.limits(
            limits.measured(), work, reckoning.Demand(step, demand.minutes),
            cpu_tasks=known.cpu_tasks_per_machine, at_most=known.utilisation,
        )
        for step in limits.STEPS
    }  # fmt: skip
    if form == "json":
        told = {
            "demand": asdict(demand), "measured": asdict(work), "devices": _devices(),
            "gpu_s_per_video": work.gpu_s(demand.minutes),
            "costs": [asdict(one) | {"offer": one.offer.model_dump(mode="json")} for one in costs],
            "limits": {f"{step:g}": [asdict(one) for one in found] for step, found in steps.items()},
        }  # fmt: skip
        echo(json.dumps(told, indent=1))
        return
    gpu_s, cpu_s = work.gpu_s(demand.minutes), work.cpu_s(demand.minutes)
    echo(
        f"{videos_per_hour:g} videos an hour of {demand.minutes:.2f} min: {gpu_s:.1f} GPU-seconds and "
        f"{cpu_s:.1f} s of other stages each, as the last {work.videos} here"
    )
    echo(f"measured on {_devices()}; another device: its offer's `factor`")
    _tell_costs(costs)
    _tell_limits(steps)


def _tell_costs(costs: list[Cost]) -> None:
    echo(f"\n{'hosting':<16} {'GPUs':>4} {'USD a video-minute':>18} {'USD a month':>12}  prices")
    for one in costs:
        minute, month = (
            "?" if value is None else f"{'>' if one.missing else ''}{value:,.{digits}f}"
            for value, digits in ((one.usd_per_video_minute, 4), (one.usd_per_month, 0))
        )
        gpus = "-" if one.offer.billed == "busy" else str(one.machines)
        echo(f"{one.offer.kind:<16} {gpus:>4} {minute:>18} {month:>12}  {one.offer.name}, {one.offer.read}")
        if one.missing:
            echo(f"{'':<16} not in it, fill in: {', '.join(one.missing)}")


def _tell_limits(steps: dict[float, list[Limit]]) -> None:
    for step, found in steps.items():
        echo(f"\nat {step:g} videos an hour {found[0].name} binds: {found[0].units} needed")
        for one in found:
            echo(f"  {one.name:<21} {one.sum}" + (f": {one.units} {one.more}" if one.units > 1 else ""))


@click.command(short_help="How long videos wait on N machines with a GPU")
@VIDEOS
@MINUTES
@click.option(
    "--hours", type=Amount(1000), default=8.0, show_default=True, help="Hours during which orders arrive."
)
@click.option("--at-once", is_flag=True, help="All orders arrive at the same moment, as in a bulk run.")
@click.option(
    "--gpus",
    type=click.IntRange(1, 1000),
    multiple=True,
    help="Number of GPU machines to simulate; repeatable. Default: 1, 2, 4, 8, 16 and 32.",
)
@FORM
def simulate(
    *,
    videos_per_hour: float,
    minutes: float | None,
    hours: float,
    at_once: bool,
    gpus: tuple[int, ...],
    form: str,
) -> None:
    """How long videos wait and when the last is done, on N machines with a GPU each.

    Orders come at random (Poisson, the same for each N); their stages take what those of videos here took.
    """
    from avatarlab_ops.hosting import orders
    from avatarlab_ops.hosting.simulation import machines, simulate

    asked = orders.drawn(_seen(), videos_per_hour, hours, minutes=minutes, at_once=at_once)
    rows = []
    for count in gpus or (1, 2, 4, 8, 16, 32):
        outcome = simulate(asked, machines(count))
        rows.append({"gpus": count, "makespan_s": outcome.makespan_s, "p90_wait_s": outcome.p90_wait_s()})
    if form == "json":
        echo(json.dumps({"videos": len(asked), "devices": _devices(), "rows": rows}, indent=1))
        return
    echo(f"{len(asked)} videos, stages as measured on {_devices()}")
    _tell_rows(rows)


def _tell_rows(rows: list[dict[str, Any]]) -> None:
    echo(f"{'GPUs':>5} {'all done after':>15} {'9 of 10 wait at most':>21}")
    for row in rows:
        echo(f"{row['gpus']:>5} {row['makespan_s']:>13,.0f} s {row['p90_wait_s']:>19,.1f} s")


def _seen() -> list[Seen]:
    """What was measured here."""
    from avatarlab_ops.hosting.workload import lately
    from avatarlab_ops.stores.catalog import transaction

    with transaction(known_stores().pg_dsn) as db:
        return lately(db)


def _devices() -> str:
    """This machine's devices; those that did the work, where it is a worker of one kind."""
    from avatarlab_ops.engines import device

    return ", ".join(one.name for one in device.devices(cuda=True))


COMMANDS = (cost, simulate)
