"""The three stores as one folder, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from avatarlab_ops.cli.common import prepared_stores, stores

if TYPE_CHECKING:
    from avatarlab_ops.backup import Manifest

FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@click.command()
@FOLDER
def backup(folder: Path) -> None:
    """Make FOLDER hold records, documents and objects as one set, while renders go on.

    Again with the same folder: it is brought up to date, and only bytes that are new are copied.
    """
    from avatarlab_ops.backup import take

    _tell("backed up", take(prepared_stores(), folder))


@click.command()
@FOLDER
def restore(folder: Path) -> None:
    """Fill empty stores from the FOLDER of a backup, after every byte of it was checked."""
    from avatarlab_ops.backup import restore as fill

    manifest = fill(stores(), folder)
    _tell("restored", manifest)
    click.echo(
        f"what was withdrawn, revoked or ended after {manifest.taken_at} is shown and allowed again: "
        'repeat it before anybody is let in (docs/operations.md, "Restore")',
        err=True,
    )


def _tell(what: str, manifest: Manifest) -> None:
    size = manifest.object_bytes + sum(part.bytes for part in manifest.parts.values())
    click.echo(f"{what} the records of {manifest.taken_at}, {manifest.objects} objects, {size:,} bytes")


COMMANDS = (backup, restore)
