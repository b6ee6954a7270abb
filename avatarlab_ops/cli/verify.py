"""Whether a file is what it seems, and the proof of it: verify, evidence."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from avatarlab_ops.cli.common import FILE, FORM, echo, known_stores
from avatarlab_ops.errors import InputError
from avatarlab_ops.printable import one_line


@click.command(short_help="Say which render made a file, if any")
@click.argument("file", type=FILE)
@FORM
def verify(file: Path, form: str) -> None:
    """Say what FILE is: which render made it, whether it was changed, whether it was withdrawn."""
    from avatarlab_ops.trust.verify import verify as find

    found = find(known_stores(), file)
    if form == "json":
        echo(json.dumps(asdict(found), indent=2, default=str, ensure_ascii=False))
        return
    echo(f"{found.verdict:<10}{one_line(found.says)}.")
    if found.render_id:
        echo(f"render    {found.render_id}" + (f" of run {found.run_id}" if found.run_id else ""))
    if stone := found.tombstone:
        by = f"signed by {stone.signed_by}" if stone.signed_by else "whose signature does not fit"
        echo(f"tombstone {stone.record} {by}")
    for layer in found.layers:
        echo(f"{'yes' if layer.recognised else 'no':<10}{layer.name}: {one_line(layer.says)}")


@click.command(short_help="Write the proof of a video's origin to one ZIP")
@click.argument("video")
@click.option("--out", type=FILE, help="Where to write it; VIDEO-evidence.zip if left out.")
@click.option("--check", is_flag=True, help="VIDEO is such a ZIP: say whether it is whole and who signed it.")
def evidence(video: str, out: Path | None, check: bool) -> None:
    """Write all that proves where VIDEO came from (a render's or DAG run's id, an address) to one ZIP."""
    from avatarlab_ops.lineage.evidence import check as examine
    from avatarlab_ops.lineage.evidence import write

    if check:
        echo(f"evidence  {examine(Path(video))}")
        return
    target = out or Path(f"{video.rstrip('/').rpartition('/')[2]}-evidence.zip")
    try:
        write(known_stores(), video, target)
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror}); choose another with --out"
        ) from error
    echo(f"evidence  {target}")


COMMANDS = (verify, evidence)
