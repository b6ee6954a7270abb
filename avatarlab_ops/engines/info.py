"""What is known of an engine without loading it: its entry. Light, so that whatever starts may read it.

A package adds engines by an entry point of the group `avatarlab.engines` that names one entry, or a tuple of
them; `examples/avatarlab-beep` is one in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from avatarlab_ops import language_tags
from avatarlab_ops.engines.pinned import PinnedFile
from avatarlab_ops.engines.published import PublishedFile

Kind = Literal["speech", "face", "matting", "lipsync", "watermark", "recogniser"]
ModelFile = PinnedFile | PublishedFile
SAMPLED_VOICE = "sample"  # what the voice is called where a sample is given


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """What every entry says.

    `factory` is "package.module:callable", imported when first used: it takes nothing and gives the engine,
    as `engines.base` describes its kind. `version` is raised whenever the engine's output may change; it and
    the digests of `files` enter the fingerprint of all that the engine makes.

    `slots` is the memory class: how many slots of a device (`engines.device`) it holds while it works; 0: it
    needs no lease. `cuda`: it runs on a GPU where there is one. `learned`: what it gives comes from a model
    trained on recordings, which a video's content credentials tell. `notes` is one line for people.
    """

    kind: ClassVar[Kind]
    name: str
    factory: str
    version: str
    files: tuple[ModelFile, ...] = ()
    slots: int = 1
    cuda: bool = False
    learned: bool = True
    notes: str = ""

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names of its model files, in their order."""
        return tuple(file.name for file in self.files)


@dataclass(frozen=True)
class Voice:
    """A voice that an engine has built in, and the terms under which anybody may use it.

    Its consent record is made of this: whose voice it is, and the licence that stands for consent.
    `languages`: which of the engine's it speaks; empty: all. `accent`: with which accent, where one is clear.
    """

    name: str
    subject: str
    terms: str
    languages: tuple[str, ...] = ()
    accent: str = ""

    def speaks(self, language: str) -> bool:
        """Whether it speaks this language of its engine."""
        return not self.languages or language in self.languages


@dataclass(frozen=True, kw_only=True)
class SpeechInfo(EngineInfo):
    """Entry of a speech engine.

    `languages` are BCP 47 tags, `scripts` what Unicode calls the writing systems it reads ("Latin"); a
    request that names no language or voice gets the first. `clones`: it can speak in the voice of a sample.
    `reads_only`: by language, which of `scripts` it reads there, if not all.
    `marks`: which of phoneme, prosody and lang (`engines.base.Sentence`) it can do.
    """

    kind = "speech"
    languages: tuple[str, ...]
    voices: tuple[Voice, ...]
    scripts: tuple[str, ...]
    clones: bool = False
    marks: tuple[str, ...] = ()
    reads_only: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def voice_names(self) -> tuple[str, ...]:
        """Names of its voices, in their order."""
        return tuple(voice.name for voice in self.voices)

    def language(self, asked: str | None, voice: str | None = None) -> str | None:
        """Which of its languages is meant, None: none of them.

        "en" is its first English, or that of the voice, "es-419" its only Spanish (`language_tags`);
        where nothing is asked, it is the voice's language, or the first.
        """
        if asked is None:
            of_voice = next((one.languages for one in self.voices if one.name == voice), ())
            return (of_voice or self.languages)[0]
        close = language_tags.spoken(asked, self.languages)
        return next((one for one in close if voice in self.voices_of(one)), next(iter(close), None))

    def reads(self, language: str) -> tuple[str, ...]:
        """The writing systems that it reads in one of its languages."""
        return self.reads_only.get(language, self.scripts)

    def voices_of(self, language: str) -> tuple[str, ...]:
        """Names of the voices that speak one of its languages; none for another language."""
        able = self.voices if language in self.languages else ()
        return tuple(voice.name for voice in able if voice.speaks(language))


@dataclass(frozen=True, kw_only=True)
class FaceInfo(EngineInfo):
    """Entry of an engine that tracks the face."""

    kind = "face"


@dataclass(frozen=True, kw_only=True)
class MattingInfo(EngineInfo):
    """Entry of an engine that cuts the person out."""

    kind = "matting"


@dataclass(frozen=True, kw_only=True)
class WatermarkInfo(EngineInfo):
    """Entry of an engine that marks speech as synthetic."""

    kind = "watermark"


@dataclass(frozen=True, kw_only=True)
class RecogniserInfo(EngineInfo):
    """Entry of an engine that writes down what a recording says."""

    kind = "recogniser"


@dataclass(frozen=True, kw_only=True)
class LipsyncInfo(EngineInfo):
    """Entry of a lip-sync engine. `prepares`: it is a `PreparingEngine`, which looks at an avatar once."""

    kind = "lipsync"
    prepares: bool = False
