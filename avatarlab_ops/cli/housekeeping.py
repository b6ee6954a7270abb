"""Order in the stores: housekeeping."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from avatarlab_ops.cli.common import airflow, echo, prepared_stores
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.places import BULK_DAG, OVER, RENDER_DAG
from avatarlab_ops.retention import INTERMEDIATE_DAYS

if TYPE_CHECKING:
    from avatarlab_ops.housekeeping import Chore


@click.command(short_help="Find, or remove, what expired or got lost")
@click.option("--apply", is_flag=True, help="Put right what is found; without it nothing is changed.")
@click.option(
    "--days",
    type=click.IntRange(0),
    default=INTERMEDIATE_DAYS,
    show_default=True,
    help="Age at which spare intermediates go.",
)
@click.option(
    "--max-gib", type=click.FloatRange(0), help="Size of all intermediates beyond which spare ones go."
)
def housekeeping(apply: bool, days: int, max_gib: float | None) -> None:
    """Find what expired, got lost or was left behind, in all stores; counts and bytes."""
    from avatarlab_ops.housekeeping import Rules, keep_house

    limit = None if max_gib is None else int(max_gib * 1024**3)
    rules = Rules(intermediates=timedelta(days=days), max_bytes=limit)
    settings = prepared_stores()
    found = keep_house(
        settings, rules, apply=apply, alive=_alive, bulk_alive=_bulk_alive, tell=lambda one: _tell(one, apply)
    )
    if not apply and any(chore.found for chore in found):
        echo("nothing was changed; --apply puts it right")


def _alive(run_id: str) -> bool | None:
    return _goes_on(run_id, RENDER_DAG)


def _bulk_alive(run_id: str) -> bool | None:
    return _goes_on(run_id, BULK_DAG)


def _goes_on(run_id: str, dag: str) -> bool | None:
    """Whether Airflow's run goes on; None when Airflow cannot be asked."""
    try:
        with airflow() as client:
            return client.run(run_id, dag)["state"] not in OVER
    except InputError:  # Airflow knows no such run
        return False
    except TransientError:
        return None


def _tell(chore: Chore, applied: bool) -> None:
    put_right = f", {chore.done} put right" if applied else ""
    echo(f"{chore.name}: {chore.found} ({chore.bytes:,} bytes){put_right}")
    for note in chore.notes:
        echo(f"  {note}")


COMMANDS = (housekeeping,)
