"""The outbox: what waits for a receiver, what was given up, and another try."""

from __future__ import annotations

import click

from avatarlab_ops.cli.common import echo, known_stores
from avatarlab_ops.errors import InputError
from avatarlab_ops.printable import one_line


@click.group(short_help="Undelivered messages: list, replay")
def outbox() -> None:
    """Messages to MongoDB and OpenLineage: list those that wait or were given up, replay the latter."""


@outbox.command("list", short_help="List messages that are not delivered")
@click.option("--dead", is_flag=True, help="Only those that were refused too often and are given up.")
@click.option("--limit", default=100, show_default=True, help="Show at most this many, oldest first.")
def list_(dead: bool, limit: int) -> None:
    """List messages that are not delivered: id, state, attempts, topic, key, last error."""
    from avatarlab_ops.stores.outbox import pending

    settings = known_stores()
    rows = pending(settings, dead=True, limit=limit)
    rows += [] if dead else pending(settings, limit=limit)
    for row in rows:
        state = "dead" if row.dead_at else "waiting"
        echo(f"{row.id}  {state}  {row.attempts}  {row.topic}  {row.key}  {one_line(row.last_error or '')}")
    if not rows:
        echo("every message is delivered" if not dead else "no message was given up", err=True)


@outbox.command(short_help="Try messages that were given up again")
@click.argument("ids", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every message that was given up.")
def replay(ids: tuple[int, ...], everything: bool) -> None:
    """Try dead messages again, by their IDS or --all, and deliver what is due."""
    from avatarlab_ops.stores import outbox as store

    if bool(ids) == everything:
        raise InputError("give the ids that `avatarlab outbox list --dead` shows, or --all")
    settings = known_stores()
    revived = store.replay(settings, None if everything else ids)
    delivered, waiting = store.deliver(settings)
    echo(f"{revived} revived, {delivered} delivered, {waiting} waiting")


COMMANDS = (outbox,)
