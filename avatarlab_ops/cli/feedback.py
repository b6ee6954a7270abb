"""What people think of published videos: feedback add, list, summary."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import click

from avatarlab_ops.cli.common import FORM, echo, known_stores, line_of_words, prepared_stores
from avatarlab_ops.errors import InputError
from avatarlab_ops.printable import one_line
from avatarlab_ops.states import RATED

_, *PARTS = RATED  # beside the video as a whole
RATING = click.IntRange(1, 5)
Command = TypeVar("Command", bound=Callable[..., Any])


def _aspects(command: Command) -> Command:
    for name in reversed(PARTS):
        comment = click.option(f"--{name}-comment", help=f"In words, about the {name}.")
        command = click.option(f"--{name}", type=RATING, help=f"Rating of the {name}.")(comment(command))
    return command


@click.group(short_help="Rate videos, and compare engines by ratings")
def feedback() -> None:
    """Rate published videos, and see which engines made what people like."""


@feedback.command(short_help="Rate a published video")
@click.argument("video")
@click.option("--rating", type=RATING, required=True, help="Of the video as a whole, 1 (bad) to 5 (good).")
@click.option("--comment", help="In words, about the whole.")
@_aspects
@click.option("--by", callback=line_of_words, help="Who says so; left out: the name you are logged in with.")
def add(*, video: str, rating: int, comment: str | None, by: str | None, **said: Any) -> None:
    """Rate VIDEO (a render's id, a DAG run's id, or a published file's address); yours is replaced."""
    from avatarlab_ops.renders import feedback as opinions

    ratings = {"video": rating} | {name: said[name] for name in PARTS}
    comments = {"video": comment} | {name: said[f"{name}_comment"] for name in PARTS}
    given = {
        "ratings": {name: value for name, value in ratings.items() if value is not None},
        "comments": {name: value for name, value in comments.items() if value is not None},
    }
    opinion, caller = opinions.Opinion.parse(given), by or _user()
    kept = opinions.give(prepared_stores(), video, opinion, caller=caller)
    echo(f"{kept.render_id} rated by {one_line(kept.caller)}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # a container's user without a name
        raise InputError("this account has no name; say with --by who rates the video") from error


@feedback.command("list", short_help="List the ratings of a video")
@click.argument("video")
@FORM
def list_(video: str, form: str) -> None:
    """Show what was said of VIDEO, oldest first."""
    from avatarlab_ops.renders.feedback import of_video

    found = of_video(known_stores(), video)
    if form == "json":
        echo(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False, default=str))
        return
    for one in found:
        ratings = "  ".join(f"{aspect} {rating}" for aspect, rating in one.ratings.items())
        echo(f"{one.at:%Y-%m-%d %H:%M:%S}  {one_line(one.caller)}  {ratings}")
        for aspect, comment in one.comments.items():
            echo(f"    {aspect}: {one_line(comment)}")
    if not found:
        echo("nobody has rated it", err=True)


@feedback.command(short_help="Sum up ratings by engine version")
@FORM
def summary(form: str) -> None:
    """Show count, mean and share of bad ratings (1 or 2) of each aspect and engine version."""
    from avatarlab_ops.renders import feedback as opinions

    found = opinions.summary(known_stores())
    if form == "json":
        echo(json.dumps([asdict(line) for line in found], indent=2))
        return
    if found:
        echo(f"{'aspect':<8}{'stage':<9}{'engine':<28}{'count':>7}{'mean':>7}{'1 or 2':>8}")
    for line in found:
        engine = f"{line.engine} ({line.engine_id[:8]})" if line.engine and line.engine_id else ""
        figures = f"{line.count:>7}{line.mean:>7.2f}{line.low_share:>8.0%}"
        echo(f"{line.aspect:<8}{line.stage or '':<9}{engine:<28}{figures}")
    if not found:
        echo("no video has been rated", err=True)


COMMANDS = (feedback,)
