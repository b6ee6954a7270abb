"""What caching saves: cache."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from avatarlab_ops.cli.common import FORM, echo, known_stores

if TYPE_CHECKING:
    from avatarlab_ops.stores.catalog.cache import Usage


@click.command(short_help="What is kept, and how much work it saved")
@click.option(
    "--days",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Count the hits and misses of this many days.",
)
@FORM
def cache(days: int, form: str) -> None:
    """Show, for each stage and engine, what is kept and how much work finding it again saved."""
    from avatarlab_ops.graph import MADE
    from avatarlab_ops.stores.catalog import cache as figures
    from avatarlab_ops.stores.catalog import records, transaction

    since = records.now() - timedelta(days=days)
    with transaction(known_stores().pg_dsn) as db:
        found = list(figures.usage(db, since))
        waiting = figures.waiting(db, since)
    found.sort(key=lambda one: (MADE.index(one.stage), one.engine or "", one.engine_id or ""))
    if form == "json":
        stages = [asdict(one) | {"hit_rate": one.hit_rate} for one in found]
        told = {"since": since.isoformat(), "stages": stages, "waiting": waiting}
        echo(json.dumps(told, indent=2))
        return
    echo(f"{'stage':<10}{'engine':<24}{'kept':>8}{'MB':>11}{'evicted':>9}"
               f"{'hits':>8}{'misses':>8}{'rate':>7}{'spent s':>11}{'saved s':>11}")  # fmt: skip
    for one in found:
        echo(_line(one))
    for stage, count in waiting.items():
        echo(f"{stage}: {count} waiting for equal work elsewhere")


def _line(one: Usage) -> str:
    rate = "" if one.hit_rate is None else f"{one.hit_rate:.0%}"
    return (
        f"{one.stage:<10}{one.engine or '':<24}{one.kept:>8}{one.bytes / 1e6:>11.1f}{one.evicted:>9}"
        f"{one.hits:>8}{one.misses:>8}{rate:>7}{one.spent_s:>11.1f}{one.saved_s:>11.1f}"
    )


COMMANDS = (cache,)
