"""What will be said, before anything is rendered: say."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from avatarlab_ops.cli.common import echo

MAX_BYTES = 1024**2


@click.command(short_help="Print a script as it will be read aloud")
@click.option(
    "--text", "source", required=True, metavar="FILE|-",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="A file with the script, - for standard input.",
)  # fmt: skip
@click.option("--engine", help="Speech engine that would speak it; left out: the language's.")
@click.option("--language", help="Language of the script; left out: the engine's first.")
@click.option(
    "--format", "script_format", type=click.Choice(["plain", "ssml"]), default="plain", show_default=True,
    help="How the script is written.",
)  # fmt: skip
@click.option(
    "--lexicon", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with the columns word, ipa or say, language: how some words are said.",
)  # fmt: skip
def say(
    source: Path, engine: str | None, language: str | None, script_format: str, lexicon: Path | None
) -> None:
    """Print a script as it will be read aloud, one sentence a line; what cannot be said is named."""
    from avatarlab_ops import language_tags
    from avatarlab_ops.engines.choice import speech_engine
    from avatarlab_ops.reading.lexicon import parse
    from avatarlab_ops.script import sentences

    speech = speech_engine(engine, language)
    used = speech.language(language)
    script = sentences(
        _text(source),
        engine=speech.name,
        language=used,
        script_format=script_format,
        lexicon=parse(lexicon.read_bytes()) if lexicon else (),
    )
    for sentence in script.sentences:
        words = sentence.spoken.split()
        for index, sounds in sentence.sounds:
            words[index] += f" /{sounds}/"
        echo(" ".join(words))
    told = language_tags.instead(language, used) if language and used else ""
    for warning in filter(None, (told, *script.warnings)):
        echo(f"note: {warning}", err=True)


def _text(source: Path) -> str:
    """The script, as a request may hold it. Raises ScriptRefused."""
    from avatarlab_ops.errors import ScriptRefused
    from avatarlab_ops.fields import Speakable
    from avatarlab_ops.refusal import refusal

    with click.open_file(str(source), "rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ScriptRefused(f"{source} has more than {MAX_BYTES:,} bytes; split it into several scripts")
    try:
        return TypeAdapter(Speakable).validate_python(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ScriptRefused(f"{source} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except ValidationError as error:
        raise ScriptRefused(f"{source}: {refusal(error)}") from error


COMMANDS = (say,)
