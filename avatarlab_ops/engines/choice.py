"""Which speech engine speaks: the one that is asked for, else the first that has the language and voice."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from avatarlab_ops import engines, language_tags
from avatarlab_ops.engines.info import SpeechInfo
from avatarlab_ops.errors import EngineUnavailable

DEFAULT = "hibari"
ADDITION = "kokoro"  # the engine that `make voices` brings; its own entry says in what languages
NEAR = 0.75  # how alike names are by difflib's ratio that are told for each other


def speech_engine(named: str | None, language: str | None, voice: str | None = None) -> SpeechInfo:
    """The entry of the engine `named`; None: the first that speaks the language in this voice, else at all.

    Where neither is asked for, it is the default one. Raises EngineUnavailable for an engine that does not
    exist, or a language that it, or none of them, speaks.
    """
    every = _every()
    able = [info for info in every if info.language(language, voice)]
    if named is not None:
        engine = _named(named, every)
        if engine in able:
            return engine
        who = f"{named} speaks {', '.join(engine.languages)}, not {language!r}"
        close = language_tags.near(language or "", engine.languages)
    elif able:
        plain = language is None and voice is None
        return engines.info("speech", DEFAULT) if plain else next(filter(_having(voice), able), able[0])
    else:
        spoken = sorted({tag for info in every for tag in info.languages})
        who = f"no installed engine speaks {language!r}, only {', '.join(spoken)}"
        close = language_tags.near(language or "", spoken)
    others = f"; engines that do: {', '.join(info.name for info in able)}" if able else ""
    nearest = f"; nearest: {' or '.join(close)}" if close and not able else ""
    raise EngineUnavailable(f"language: {who}{nearest}{others}{_addition(every)}")


def check_voice(speech: SpeechInfo, language: str, voice: str, *, named: bool) -> None:
    """Raise EngineUnavailable for a voice that the engine lacks in this language, and tell which there are.

    `named`: the engine was asked for, else any that is installed could have spoken.
    """
    if voice in speech.voices_of(language):
        return
    every = _every()
    asked = [speech] if named else every
    who = f"{speech.name} has no voice" if named else "no installed engine has a voice"
    there = ", ".join(dict.fromkeys(name for info in asked for name in info.voices_of(language)))
    more = f"{_near(voice, every)}{_addition(every)}"
    raise EngineUnavailable(f"voice: {who} {voice!r} for {language}; choose one of: {there}{more}")


def _near(voice: str, every: list[SpeechInfo]) -> str:
    """Voices of this name in other languages and engines, else of one that is written nearly so."""
    names = [name for info in every for name in info.voice_names]
    close = [voice] if voice in names else get_close_matches(voice, names, cutoff=NEAR)
    found = [
        f"{one.name} of {info.name} ({', '.join(one.languages or info.languages)})"
        for info in every for one in info.voices if one.name in close
    ]  # fmt: skip
    return f"; there is {', '.join(found)}" if found else ""


def _every() -> list[SpeechInfo]:
    return [engines.info("speech", name) for name in engines.names("speech")]


def _named(name: str, every: list[SpeechInfo]) -> SpeechInfo:
    try:
        return engines.info("speech", name)
    except EngineUnavailable as error:
        raise EngineUnavailable(f"{error}{_addition(every) if name == ADDITION else ''}") from error


def _having(voice: str | None) -> Callable[[SpeechInfo], bool]:
    return lambda info: voice is None or voice in info.voice_names


def _addition(every: list[SpeechInfo]) -> str:
    """What to do for more languages, where they are not here."""
    if any(info.name == ADDITION for info in every):
        return ""
    how = "run `make voices` (a container: build the image with VOICES=1)"
    return f"; {how}, which adds those of docs/voices.md"
