"""The operator's commands: up, down, doctor, demo."""

from __future__ import annotations

import json
from pathlib import Path

import click

from avatarlab_ops.cli.common import (
    airflow,
    echo,
    home,
    known_stores,
    login,
    read_request,
    upload_file,
)
from avatarlab_ops.cli.render import watch
from avatarlab_ops.errors import InputError
from avatarlab_ops.home import root_folder


@click.command(short_help="Start the stores and Airflow")
@click.option(
    "--workers", type=click.IntRange(min=0, max=64),
    help="Celery workers that run the tasks, over Redis; 0: the scheduler runs them. Kept until named anew.",
)  # fmt: skip
def up(workers: int | None = None) -> None:
    """Start the stores and Airflow, and print the address and the login once everything is healthy.

    The demo's picture is put into the bucket of inputs: it stands in the README's and the form's examples.
    """
    from avatarlab_ops.embedded import control

    folder = home()
    state = control.up(folder, lambda line: echo(f"  {line}"), workers)
    upload_file(known_stores(), root_folder() / "demo" / "astronaut.png", "demo/astronaut.png")
    echo(login(folder, state.address))


@click.command(short_help="Stop Airflow and the stores; data is kept")
def down() -> None:
    """Stop Airflow and the stores; all data is kept."""
    from avatarlab_ops.embedded import control

    echo("stopped" if control.down(home()) else "nothing was running")


@click.command(short_help="Check everything and say what to do")
def doctor() -> None:
    """Check every dependency, server, engine, weight file and pool, and say what to do."""
    from avatarlab_ops.cli.doctor import examine

    wrong = missing = 0
    for finding in examine(home()):
        wrong += not finding.right
        missing += finding.missing
        mark = "--" if finding.missing else "ok" if finding.right else "NO"
        echo(f"{mark}  {finding.group + ': ' + finding.name:<34}  {finding.detail}")
        if not finding.right:
            echo(f"    {finding.advice}")
    if missing:
        echo("--: not there, and needed only by requests that ask for it; see `avatarlab models list`")
    if wrong:
        raise InputError(f"{wrong} thing{'s' if wrong > 1 else ''} to do, see above")


@click.command(short_help="Render the demo request through Airflow")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: root_folder() / "out",
    help="Folder for demo.mp4. Default: out/ in the checkout.",
)
@click.pass_context
def demo(context: click.Context, folder: Path) -> None:
    """Render the demo request through Airflow, from start-up to the finished file."""
    context.invoke(up)
    request = read_request(root_folder() / "demo" / "request.json")
    with airflow() as client:
        told = client.order(request, "interactive")
    context.invoke(watch, run=told["id"], out=folder / "demo.mp4")
    address = json.loads((home() / "supervisor.json").read_text())["address"]
    echo(login(home(), address))


COMMANDS = (up, down, doctor, demo)
