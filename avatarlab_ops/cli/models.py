"""Model files that an operator adds: models list, models add, models verify."""

from __future__ import annotations

from pathlib import Path

import click

from avatarlab_ops.cli.common import echo, stores
from avatarlab_ops.errors import EngineUnavailable


@click.group("models", short_help="Model files added by hand: list, add, verify")
def group() -> None:
    """Model files that are published elsewhere: what is here, add one, check them all."""


@group.command("list", short_help="List the model files and their licences")
def list_models() -> None:
    """Show every published file that an engine can use: whether it is here, its licence, where to get it.

    Then the packages whose engines cannot be used, and why.
    """
    from avatarlab_ops import engines, model_files

    for standing in model_files.standings(stores()):
        file, record = standing.file, standing.record
        asks = ", non-commercial" if file.non_commercial else ""
        echo(f"{file.name}  {standing.state}  ({file.licence}{asks})")
        users = (f"{engine.kind} {engine.name} ({engine.slots} slots)" for engine in standing.engines)
        echo(f"    for {', '.join(users) or 'no engine yet'}")
        echo(f"    from {file.upstream}, published at {file.source}")
        if record is None:
            echo(f"    add it with: {file.command}")
            continue
        echo(f"    sha256 {record.sha256}, {record.bytes:,} bytes")
        echo(f"    added by {record.added_by} {record.added_at}")
        if record.accepted:
            echo(f"    licence accepted by {record.accepted_by} {record.accepted_at}")
    for problem in engines.known().problems:
        echo(f"NO  {problem.package}: {problem.reason}")


@group.command(short_help="Check a model file and keep it")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "name", required=True, help="Which of the files of `models list` this is.")
@click.option("--accept-licence", "accept", metavar="LICENCE", help="Accept the file's licence, by its name.")
def add(file: Path, name: str, accept: str | None) -> None:
    """Check FILE, a published checkpoint, and keep it for every worker.

    FILE is converted to safetensors; code in it is never run. A file under a non-commercial licence is used
    only after somebody has accepted that licence by name; who did so, and when, is kept.
    """
    from avatarlab_ops import model_files
    from avatarlab_ops.engines.published import PUBLISHED

    record = model_files.add(stores(), file, name, accept=accept)
    echo(f"added {name}, sha256 {record.sha256}, {record.bytes:,} bytes")
    known = PUBLISHED[name]
    echo(f"licence {known.licence}: {known.consequence}")
    if known.non_commercial and not record.accepted:
        echo(f"no engine uses it until somebody accepts that: {known.command}")


@group.command(short_help="Check the bytes of every model file")
def verify() -> None:
    """Check the bytes of every model file, here and in the bucket; damaged local copies are fetched again."""
    from avatarlab_ops import model_files

    wrong = 0
    for name, reason in model_files.verify(stores()):
        wrong += reason is not None
        echo(f"NO  {reason}" if reason else f"ok  {name}")
    if wrong:
        raise EngineUnavailable(f"{wrong} model file{'s' if wrong > 1 else ''} damaged, see above")


COMMANDS = (group,)
