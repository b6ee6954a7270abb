"""The three stores as one folder, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from avatarlab_ops.cli.common import echo, known_stores, prepared_stores, stores

if TYPE_CHECKING:
    from avatarlab_ops.backup import Manifest

FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@click.command(short_help="Write all stores to a folder as one set")
@FOLDER
@click.option(
    "--withdrawals", is_flag=True, help="Only what was taken back: seconds, PostgreSQL alone is asked."
)
def backup(folder: Path, withdrawals: bool) -> None:
    """Make FOLDER hold records, documents and objects as one set, while renders go on.

    Again with the same folder: it is brought up to date, and only bytes that are new are copied.
    """
    from avatarlab_ops.backup import take, write_withdrawals

    if withdrawals:
        echo(f"{write_withdrawals(known_stores(), folder)} withdrawals, revocations and ended links")
    else:
        _tell("backed up", take(prepared_stores(), folder))


@click.command(short_help="Fill empty stores from a backup")
@FOLDER
@click.option(
    "--withdrawals", is_flag=True, help="Only take back again, in stores that were restored, what was."
)
def restore(folder: Path, withdrawals: bool) -> None:
    """Fill empty stores from the FOLDER of a backup, after every byte of it was checked.

    What FOLDER knows to be taken back since (`backup --withdrawals`) is taken back again.
    """
    from avatarlab_ops.backup import finish, known_until
    from avatarlab_ops.backup import restore as fill

    until = known_until(folder) or "the backup"
    if withdrawals:
        again = finish(stores(), folder)
        echo(", ".join(f"{count} {kind}(s)" for kind, count in sorted(again.items())) or "nothing new")
    else:
        _tell("restored", fill(stores(), folder, lambda line: echo(line, err=True)))
    echo(
        f"what was withdrawn, revoked or ended after {until} is shown and allowed again: "
        'repeat it before anybody is let in (docs/operations.md, "Restore")',
        err=True,
    )


def _tell(what: str, manifest: Manifest) -> None:
    size = manifest.object_bytes + sum(part.bytes for part in manifest.parts.values())
    echo(f"{what} the records of {manifest.taken_at}, {manifest.objects} objects, {size:,} bytes")


COMMANDS = (backup, restore)
