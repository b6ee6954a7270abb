"""Which speech engine speaks: the one that is asked for, else the first that has the language and voice."""

from __future__ import annotations

from collections.abc import Callable

from avatarlab_ops import engines
from avatarlab_ops.engines.info import SpeechInfo
from avatarlab_ops.errors import EngineUnavailable

DEFAULT = "hibari"
ADDITION = "kokoro"  # the engine that `make voices` brings; its own entry says in what languages


def speech_engine(named: str | None, language: str | None, voice: str | None = None) -> SpeechInfo:
    """The entry of the engine `named`; None: the first that speaks the language in this voice, else at all.

    Where neither is asked for, it is the default one. Raises EngineUnavailable for an engine that does not
    exist, or a language that it, or none of them, speaks.
    """
    every = [engines.info("speech", name) for name in engines.names("speech")]
    able = [info for info in every if info.language(language, voice)]
    if named is not None:
        engine = engines.info("speech", named)
        if engine in able:
            return engine
        who = f"{named} speaks {', '.join(engine.languages)}, not {language!r}"
    elif able:
        plain = language is None and voice is None
        return engines.info("speech", DEFAULT) if plain else next(filter(_having(voice), able), able[0])
    else:
        spoken = sorted({tag for info in every for tag in info.languages})
        who = f"no installed engine speaks {language!r}, only {', '.join(spoken)}"
    others = f"; engines that do: {', '.join(info.name for info in able)}" if able else ""
    raise EngineUnavailable(f"language: {who}{others}{_addition(every)}")


def _having(voice: str | None) -> Callable[[SpeechInfo], bool]:
    return lambda info: voice is None or voice in info.voice_names


def _addition(every: list[SpeechInfo]) -> str:
    """What to do for more languages, where they are not here."""
    if any(info.name == ADDITION for info in every):
        return ""
    how = "run `make voices` (a container: build the image with VOICES=1)"
    return f"; {how}, which adds those of docs/voices.md"
