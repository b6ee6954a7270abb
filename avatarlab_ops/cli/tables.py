"""PostgreSQL's tables: their version, and the way back to that of earlier code."""

from __future__ import annotations

import click

from avatarlab_ops.cli.common import echo, stores


@click.command(short_help="Table version; go back to an older one")
@click.option(
    "--back-to",
    metavar="VERSION",
    help="Migrate down to VERSION (HEAD of the older code). Data of newer features is lost.",
)
def tables(back_to: str | None) -> None:
    """Show which version the tables have, and whom it serves; or take them back for earlier code."""
    from avatarlab_ops.stores import catalog

    dsn = stores().pg_dsn
    if back_to is not None:
        catalog.take_back(dsn, back_to)
    echo(
        f"tables {catalog.version(dsn) or 'none yet'}; this code {catalog.HEAD}, "
        f"whose tables serve code from {catalog.SERVES} on"
    )


COMMANDS = (tables,)
