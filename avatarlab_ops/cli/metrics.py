"""Figures for Prometheus: metrics."""

from __future__ import annotations

import click

from avatarlab_ops.cli.common import echo, known_stores


@click.command(short_help="Print or serve figures for Prometheus")
@click.option(
    "--serve", "port", type=click.IntRange(1, 65535), help="Answer Prometheus on this port until stopped."
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Whom to answer; nobody is asked who they are."
)
def metrics(port: int | None, host: str) -> None:
    """Print renders, stages, device slots and outbox in Prometheus's format, or serve them."""
    from avatarlab_ops import metrics as figures

    if port is None:
        echo(figures.text(known_stores()).decode(), nl=False)
    else:
        figures.serve(known_stores(), host, port)


COMMANDS = (metrics,)
