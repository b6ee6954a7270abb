"""What is said when: words, phones and visemes, in seconds from the first audio sample."""

from __future__ import annotations

import operator

from pydantic import BaseModel, ConfigDict, Field


class _Span(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    start_s: float
    end_s: float


class Word(_Span):
    """One word as written in the script."""

    text: str
    sentence: int  # index of the sentence it belongs to
    # Another than the timeline's; "": the same, which is not written: code from before it reads those, too.
    language: str = Field(default="", exclude_if=operator.not_)


class Phone(_Span):
    """One speech sound; `ipa` without stress and length marks, "" for silence."""

    ipa: str
    stressed: bool = False


class Viseme(_Span):
    """One mouth shape of `avatarlab_ops.timeline.VISEMES` ("sil" for rest)."""

    name: str


# The fifteen visemes of the Oculus/MPEG-4 set, the convention lip-sync tools share.
VISEMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou")

UNSPACED = ("zh", "ja", "th")  # languages written without spaces between words


def spaced(language: str) -> bool:
    """Whether a language, a BCP 47 tag, puts spaces between words; where not, words joined are the text."""
    return language.partition("-")[0].lower() not in UNSPACED


class Timeline(BaseModel):
    """The speech of one render. Spans of one kind are ordered and do not overlap."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    duration_s: float
    sample_rate: int
    language: str
    words: tuple[Word, ...]
    phones: tuple[Phone, ...]
    visemes: tuple[Viseme, ...]
    warnings: tuple[str, ...] = ()

    def between(self, word: Word, following: Word) -> str:
        """What is written between two words: a space where both languages have them, or else the script's."""
        apart = {spaced(one.language or self.language) for one in (word, following)}
        return " " if (apart.pop() if len(apart) == 1 else spaced(self.language)) else ""
