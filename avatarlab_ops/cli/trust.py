"""Whether a file is what it seems: verify."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from avatarlab_ops.cli.common import FILE, FORM, known_stores

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("file", type=FILE)
@FORM
def verify(file: Path, form: str) -> None:
    """Say what FILE is: which render made it, whether it was changed, whether it was withdrawn."""
    from avatarlab_ops.trust.verify import verify as find

    found = find(known_stores(), file)
    if form == "json":
        click.echo(json.dumps(asdict(found), indent=2, default=str, ensure_ascii=False))
        return
    click.echo(f"{found.verdict:<10}{found.says}.")
    if found.render_id:
        click.echo(f"render    {found.render_id}" + (f" of run {found.run_id}" if found.run_id else ""))
    for layer in found.layers:
        click.echo(f"{'yes' if layer.recognised else 'no':<10}{layer.name}: {layer.says}")


COMMANDS = (verify,)
