"""Videos that wait for an operator: approve, refuse. By the HTTP API, so that the login says who decides."""

from __future__ import annotations

import click

from avatarlab_ops.cli.common import airflow, echo
from avatarlab_ops.printable import one_line


@click.command(short_help="Publish a video that waits, or list them")
@click.argument("render", required=False)
def approve(render: str | None) -> None:
    """Let the video of RENDER (its id) be published; without RENDER, list what waits for that."""
    with airflow() as client:
        if render:
            told = client.decide(render, "approve")
            echo(f"{render} approved by {one_line(told['approved_by'])}")
            return
        for one in client.awaiting():
            script = " ".join(one["script"].split())[:80]
            echo(f"{one['id']}  {one_line(one['caller']):<16}  {script}")


@click.command(short_help="Keep back a video that waits for approval")
@click.argument("render")
@click.argument("reason")
def refuse(render: str, reason: str) -> None:
    """End RENDER (its id), which waits for approval, without its video being published; REASON is told."""
    with airflow() as client:
        told = client.decide(render, "refuse", reason=reason)
    echo(f"{render} {told['state']}: {one_line(told['reason']['text'])}")


COMMANDS = (approve, refuse)
