"""Where videos came from and what a change touches: lineage, impact."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from avatarlab_ops.cli.common import FORM, echo, known_stores
from avatarlab_ops.errors import InputError


@click.command(short_help="Draw all that a video was made from")
@click.argument("video")
@click.option(
    "--format", "form", type=click.Choice(("text", "json", "mermaid", "dot")),
    default="text", show_default=True,
    help="text for people, json for programs; mermaid and dot draw a graph.",
)  # fmt: skip
def lineage(video: str, form: str) -> None:
    """Draw the whole ancestry of VIDEO (a render's id, a DAG run's id, or a published file's address)."""
    from avatarlab_ops.lineage import drawing
    from avatarlab_ops.lineage.query import trace

    document = trace(known_stores(), video)
    if form == "json":
        echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        echo(drawing.FORMATS[form](document))


@click.command(short_help="List the videos that a change touches")
@click.option("--input", help="An s3:// address (any version of the object) or a sha256.")
@click.option("--engine", help="NAME or NAME@VERSION.")
@click.option("--weights", help="Name or sha256 of a weights file.")
@click.option("--code", help="A code version, as `lineage` shows it.")
@click.option("--limit", default=100, show_default=True, help="Show at most this many videos.")
@click.option("--after", default="", help="Go on after this render id, the last of the page before.")
@FORM
def impact(limit: int, after: str, form: str, **changes: str | None) -> None:
    """List every published video that one change touches, through shared and cached artifacts too."""
    from avatarlab_ops.lineage.query import impact as find

    given = [(kind, value) for kind, value in changes.items() if value is not None]
    if len(given) != 1:
        raise InputError("name one change: --input, --engine, --weights or --code")
    page = find(known_stores(), *given[0], after=after, limit=limit)
    if form == "json":
        echo(json.dumps(asdict(page), indent=2, default=str))
        return
    for video in page.videos:
        echo(f"{video.render_id}  {video.published_at:%Y-%m-%d %H:%M:%S}  {video.uri or 'withdrawn'}")
    if page.after:
        echo(f"there are more: add --after {page.after}", err=True)
    elif not page.videos:
        echo("no published video depends on it" if not after else "no more", err=True)


COMMANDS = (lineage, impact)
