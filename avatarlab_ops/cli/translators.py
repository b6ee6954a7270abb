"""`bulk to-xliff` and `bulk from-xliff`: a table's texts to translators and back."""

from __future__ import annotations

from pathlib import Path

import click

from avatarlab_ops.cli.common import FILE, check_out, echo

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("to-xliff", short_help="Write a table's texts for translators")
@click.argument("table", type=EXISTING)
@click.option("--from", "from_", default="en-US", show_default=True, help="Language of the texts.")
@click.option("--to", required=True, help="Language that is wanted, such as es or pt-BR.")
@click.option(
    "--column", "columns", multiple=True, default=("script",), show_default=True, help="What to translate."
)
@click.option("--out", type=FILE, required=True, help="The document, *.xlf.")
def to_xliff(table: Path, from_: str, to: str, columns: tuple[str, ...], out: Path) -> None:
    """Write the texts of TABLE (.csv, with a column key) as XLIFF 2.1 for a translator."""
    from avatarlab_ops.bulk import handoff, xliff

    check_out(out, table)
    found = handoff.out(handoff.table(table.read_bytes(), table.name), columns, from_, to)
    out.write_bytes(xliff.write(found))
    echo(f"{out}: {len(found.texts)} texts, {found.source_language} to {found.target_language}")


@click.command("from-xliff", short_help="Put translations back into a table")
@click.argument("table", type=EXISTING)
@click.argument("documents", type=EXISTING, nargs=-1, required=True)
@click.option("--out", type=FILE, required=True, help="The table with every language, *.csv.")
def from_xliff(table: Path, documents: tuple[Path, ...], out: Path) -> None:
    """Write TABLE anew with the translations of DOCUMENTS: a column for each text and language."""
    from avatarlab_ops.bulk import handoff, xliff

    check_out(out, table)
    read = [xliff.read(one.read_bytes(), one.name) for one in documents]
    written, told = handoff.into(handoff.table(table.read_bytes(), table.name), read)
    out.write_text(written, encoding="utf-8")
    echo("\n".join([*told, str(out)]))
