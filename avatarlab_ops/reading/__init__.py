"""Written text to what is read aloud: one door for every engine and language.

Each rule takes its part of the text and says it in words; what no rule takes stays as written. A digit or
sign that neither a rule nor a voice can say is told, with its place, and left out.
"""

# ruff: noqa: RUF001  (typographic characters)

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import pairwise

from avatarlab_ops.reading import hindi, unspaced, written
from avatarlab_ops.reading.chinese import CHINESE
from avatarlab_ops.reading.english import ENGLISH, british_date, british_numbers
from avatarlab_ops.reading.french import FRENCH
from avatarlab_ops.reading.german import GERMAN
from avatarlab_ops.reading.italian import ITALIAN
from avatarlab_ops.reading.japanese import JAPANESE
from avatarlab_ops.reading.language import Language
from avatarlab_ops.reading.portuguese import PORTUGUESE
from avatarlab_ops.reading.rules import rules
from avatarlab_ops.reading.russian import RUSSIAN
from avatarlab_ops.reading.spanish import SPANISH
from avatarlab_ops.reading.ukrainian import UKRAINIAN

__all__ = ["Reading", "Unread", "known", "languages", "read"]

_LANGUAGES = {
    "en": ENGLISH,
    "en-GB": replace(ENGLISH, day_first=True, say_date=british_date, finish=british_numbers),
    "es": SPANISH,
    "fr": FRENCH,
    "it": ITALIAN,
    "pt": PORTUGUESE,
    "ja": JAPANESE,
    "zh": CHINESE,
    "de": GERMAN,
    "ru": RUSSIAN,
    "uk": UKRAINIAN,
}
# l'undici: the article leans on a number's word, too
_ELIDED = "[ld]|(?:jus|lors|puis)?qu|un|all|dall|dell|nell|sull|quell"
_SPACE = "\ue005"  # private: one around what a rule says, and not as written
_QUOTES = "„“”‚‘’»«›‹"
_HANGING = re.compile(r"(?<=[^\W\d_])-$")  # mid-19th
_TRAILING = re.compile(r"^-(?=[^\W\d_])")  # 80er-Jahre
_LONG_RUN = re.compile(r"\S{500}(?=\S)")  # longer than any word or address that people have read out
_SILENT = "P"  # Unicode's punctuation tells how to speak and is not spoken itself


@dataclass(frozen=True)
class Unread:
    """A sign that cannot be said, and how many characters of the text come before it."""

    sign: str
    position: int

    def __str__(self) -> str:
        name = unicodedata.name(self.sign, f"U+{ord(self.sign):04X}").lower()
        return f"{self.sign!r} ({name}) at character {self.position + 1}"


@dataclass(frozen=True)
class Reading:
    """What is said of a text, and what of it cannot be said."""

    said: str
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True)
class _Taken:
    start: int
    end: int
    words: str


def languages() -> tuple[str, ...]:
    """Languages with rules of their own, as BCP 47 tags."""
    return tuple(_LANGUAGES)


def known(language: str) -> Language | None:
    """The rules of a language, by its BCP 47 tag; None: it has none of its own."""
    return _LANGUAGES.get(language) or _LANGUAGES.get(language.partition("-")[0])


def read(text: str, language: str) -> Reading:
    """How one sentence is read aloud; `language` is a BCP 47 tag, one without rules is read as written.

    >>> read("PIN 0042 costs $20.", "en-US").said
    'PIN zero zero four two costs twenty dollars.'
    """
    spoken = known(language)
    text = written.plain(text, hours=language.partition("-")[0] in ("de", "es", "fr", "pt", "ru", "uk"))
    if spoken is not None and spoken.unspaced:
        return _read_unspaced(text, spoken)
    text = unspaced.narrowed(text)
    if spoken is None:
        said, mute = hindi.said(text) if language.partition("-")[0] == "hi" else _as_written(text)
        return Reading(said, tuple(Unread(text[at], at) for at in mute))
    return _read(text, spoken)


def _as_written(text: str) -> tuple[str, list[int]]:
    """For a voice that reads by itself; pictures such as ★ and ✓ have no words there either: their places."""
    mute = [at for at, char in enumerate(text) if unicodedata.category(char) == "So" and char not in "°©®™"]
    gone = {ord(text[at]): " " for at in mute}
    return text.translate(gone), mute


def _read_unspaced(text: str, language: Language) -> Reading:
    apart, places = unspaced.parted(text)
    reading = _read(apart, language)
    unread = tuple(replace(sign, position=places[sign.position]) for sign in reading.unread)
    return Reading(unspaced.joined(reading.said), unread)


def _read(text: str, spoken: Language) -> Reading:
    """What is said of a text; a very long run without a space is read in pieces.

    Rules look ahead from each of its characters, so they take time by its square.
    """
    cuts = [0, *(run.end() for run in _LONG_RUN.finditer(text)), len(text)]
    pieces = [(start, _read_piece(text[start:end], spoken)) for start, end in pairwise(cuts)]
    unread = (
        replace(sign, position=start + sign.position) for start, piece in pieces for sign in piece.unread
    )
    return Reading(" ".join(piece.said for _, piece in pieces), tuple(unread))


def _read_piece(text: str, spoken: Language) -> Reading:
    said: list[str] = []
    unread: list[Unread] = []
    at = 0
    for taken in _taken(text, spoken):
        between = _unchanged(text, at, taken.start, unread)
        if text[taken.start].isdigit():
            between = _HANGING.sub("", between)
        if _numbered(text, at):
            between = _TRAILING.sub("", between)
        said += [between, f"{_SPACE}{spoken.finish(taken.words)}{_SPACE}"]
        at = taken.end
    rest = _unchanged(text, at, len(text), unread)
    said.append(_TRAILING.sub("", rest) if _numbered(text, at) else rest)
    return Reading(_ended(_tidy("".join(said), spoken), text), tuple(unread))


def _numbered(text: str, at: int) -> bool:
    """Whether figures end there: 80er-Jahre."""
    return any(map(str.isdigit, text[max(0, at - 4) : at]))


def _ended(said: str, text: str) -> str:
    """With the full stop of a sentence that ends in an abbreviation: 5 in., 500 rub.; no piece of one."""
    return f"{said}." if text.endswith(".") and said[-1:].isalnum() else said


def _taken(text: str, language: Language) -> list[_Taken]:
    """The parts that rules take, in order, none over another."""
    free = bytearray(b"\x01") * len(text)
    found: list[_Taken] = []
    for rule in rules(language):
        for match in rule.pattern.finditer(text):
            start, end = match.span()
            if start == end or not all(free[start:end]):
                continue
            words = rule.say(match)
            if words is not None:
                free[start:end] = bytes(end - start)
                found.append(_Taken(start, end, words))
    return sorted(found, key=lambda taken: taken.start)


def _unchanged(text: str, start: int, end: int, unread: list[Unread]) -> str:
    kept = []
    for position in range(start, end):
        char = text[position]
        if _sayable(char):
            kept.append(char)
        else:
            unread.append(Unread(char, position))
            kept.append(" ")
    return "".join(kept)


@functools.cache
def _sayable(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LMZC" or category[0] == _SILENT or char in "`´\u02bc"


def _tidy(said: str, language: Language) -> str:
    turned = language.code == "de" or "„" in said
    if turned:  # “ and « end what is quoted, or begin it
        said = re.sub(rf"(?<=[{_QUOTES}]){_SPACE}|{_SPACE}(?=[{_QUOTES}])", "", said)
    said = " ".join(said.replace(_SPACE, " ").split())
    said = re.sub(r" (?=['’](?:s|re|ll|ve|d|m|t)\b)", "", said)
    said = re.sub(rf"(?<![\w'’])((?:{_ELIDED})['’]) (?=[^\W\d_])", r"\1", said, flags=re.I)
    said = re.sub(r'(?<=\w) (?="(?:$|[.,;:!?)]))', "", said)
    said = re.sub(r"\b([Tt]he) the (?=\w+ of )", r"\1 ", said)
    said = re.sub(rf"(?<=[(\[¿¡{'„‚' if turned else '“‘«'}]) ", "", said)
    return re.sub(rf" (?=[,.;:!?)\]…{'' if turned else '”»'}](?:\W|$))", "", said)
