"""What single fields of a contract may hold: plain text, a script, a reference, a name, a colour, a time."""

from __future__ import annotations

import functools
import html
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from avatarlab_ops import language_tags
from avatarlab_ops.printable import printable, turns_reading

MAX_SCRIPT_CHARACTERS = 60_000  # about an hour of speech
MAX_LINES = 1_000  # of a script that is given in lines
MAX_PAUSE_S = 10  # after a line, or as a mark asks for it
MAX_KEY_BYTES = 1_024  # S3's own limit of an object key
MAX_SEGMENT_BYTES = 255  # a file name's limit, which MinIO and SeaweedFS inherit
REFERENCE = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>.+)", re.DOTALL)
PLACEHOLDER = re.compile(r"\{\{\s*([^{}\s](?:[^{}\n]{0,62}[^{}\s])?)\s*\}\}")  # of a bulk run's template
IN_BRACES = re.compile(r"\{\{(?:[^{}]|\s\{[^{}]*\}\s)*\}\}")  # meant as one: {{ {x} }}, but not {{1}, {2}}

_CONTROLS = ("Cc", "Cs")
_UNASSIGNED = {"Co": "private-use", "Cn": "unassigned"}


class Refused(NamedTuple):
    """A character that a text may not hold, and where."""

    character: str
    at: int

    @property
    def named(self) -> str:
        """As it is told: control character U+0000."""
        kind = _UNASSIGNED.get(unicodedata.category(self.character), "control")
        return f"{kind} character U+{ord(self.character):04X}"


def first_control(text: str, allowed: str = "") -> Refused | None:
    """The first control character, or mark that turns the order of reading."""
    return _first(text, allowed, _CONTROLS)


def first_unspeakable(text: str) -> str | None:
    """The first character that no script may hold, named with its place.

    Beside control characters those that stand for nothing: `script.py` writes its marks with them.
    """
    found = _first(text, "\n\r\t", (*_CONTROLS, *_UNASSIGNED))
    return f"{found.named} at position {found.at}" if found else None


def _first(text: str, allowed: str, categories: Sequence[str]) -> Refused | None:
    for at, character in enumerate(text):
        if character in allowed:
            continue
        refused = unicodedata.category(character) in categories and not _is_new_emoji(character)
        if refused or turns_reading(character):
            return Refused(character, at)
    return None


def _is_new_emoji(character: str) -> bool:
    """Whether Python's tables do not know a character that emoji's do; a script may hold it, unsaid."""
    if unicodedata.category(character) != "Cn":
        return False
    import emoji

    return emoji.is_emoji(character)


def _first_line_end(text: str) -> str | None:
    """A line or paragraph separator, which Unicode has beside the control characters."""
    found = next((mark for mark in text if unicodedata.category(mark) in ("Zl", "Zp")), None)
    return f"U+{ord(found):04X}" if found else None


def _unfilled(text: str) -> str | None:
    """What is said of a placeholder that nobody filled."""
    if not (found := IN_BRACES.search(text)):
        return None
    shown = printable(found[0], 80)
    return f"holds the placeholder {shown}, which only bulk runs fill; write out what is meant"


def _plain(text: str, allowed: str = "") -> str:
    if left := _unfilled(text):
        raise PydanticCustomError("placeholder", "{left}", {"left": left})
    if found := first_control(text, allowed):
        raise PydanticCustomError("control_character", "holds the {found}", {"found": found.named})
    if "\n" not in allowed and (line_end := _first_line_end(text)):
        raise PydanticCustomError(
            "control_character", "holds the line end {found}; write it in one line", {"found": line_end}
        )
    return text


def _speakable(text: str) -> str:
    if left := _unfilled(text) or _unfilled(html.unescape(text)):  # SSML and HTML write signs as entities
        raise PydanticCustomError("script_refused", "{left}", {"left": left})
    if found := first_unspeakable(text):
        raise PydanticCustomError("script_refused", "holds the {found}; remove it", {"found": found})
    if not text.strip():
        raise PydanticCustomError("script_refused", "is empty; write at least one word")
    if len(text) > MAX_SCRIPT_CHARACTERS:
        raise PydanticCustomError(
            "script_refused",
            "has {given} characters, at most {limit} are allowed; split it into several requests",
            {"given": len(text), "limit": MAX_SCRIPT_CHARACTERS},
        )
    return text


def split_reference(reference: str) -> tuple[str, str]:
    """Return (bucket, key) of `s3://bucket/key`. Raises ValueError saying what is wrong."""
    match = REFERENCE.fullmatch(reference)
    if not match:
        raise ValueError("is not of the form s3://inputs/KEY; upload the file to the inputs bucket first")
    segments = match["key"].split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError("has a path with '..', '.', '//' or a trailing '/'; name one object plainly")
    if first_control(reference) or "\\" in reference:
        raise ValueError("holds a control character or a backslash")
    if len(match["key"].encode()) > MAX_KEY_BYTES:
        raise ValueError(f"is longer than {MAX_KEY_BYTES} bytes")
    if any(len(segment.encode()) > MAX_SEGMENT_BYTES for segment in segments):
        raise ValueError(f"has a path segment longer than {MAX_SEGMENT_BYTES} bytes")
    if left := _unfilled(reference):
        raise ValueError(left)
    return match["bucket"], match["key"]


def _zoned(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise PydanticCustomError("no_zone", "needs a time zone, for example 2027-01-31T00:00:00Z")
    try:
        at.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("no_year", "lies outside of the years 1 to 9999 in UTC") from error
    return at


def _tag(written: str) -> str:
    """A language's tag as it is usually written: EN-us is en-US."""
    if tag := language_tags.normal(written):
        return tag
    meant = " or ".join(language_tags.near(written))
    raise PydanticCustomError(
        "language_refused",
        "{reason}",
        {
            "reason": "is not a BCP 47 tag such as es, en-GB or zh-Hans"
            + (f"; {meant} may be meant" if meant else "")
        },
    )


def _reference(reference: str) -> str:
    try:
        split_reference(reference)
    except ValueError as error:
        raise PydanticCustomError("reference_refused", "{reason}", {"reason": str(error)}) from error
    return reference


Plain = Annotated[str, AfterValidator(_plain)]
PlainLines = Annotated[str, AfterValidator(functools.partial(_plain, allowed="\n\r\t"))]
Speakable = Annotated[
    str,
    AfterValidator(_speakable),
    Field(json_schema_extra={"minLength": 1, "maxLength": MAX_SCRIPT_CHARACTERS}),
]
ANY_S3 = "^s3://"  # for forms; `split_reference` says what is one
Reference = Annotated[
    str, AfterValidator(_reference), Field(json_schema_extra={"pattern": ANY_S3, "maxLength": 1_100})
]
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
KEY = r"^[A-Za-z0-9_.:-]{1,200}$"
Name = Annotated[str, Field(pattern=NAME)]
COLOUR = r"^#[0-9a-fA-F]{6}$"
Tag = Annotated[
    str,
    AfterValidator(_tag),
    Field(json_schema_extra={"pattern": language_tags.PATTERN, "maxLength": language_tags.LONGEST}),
]
Colour = Annotated[str, Field(pattern=COLOUR)]
Zoned = Annotated[datetime, AfterValidator(_zoned)]


class Part(BaseModel):
    """What every part of a contract has in common: unknown fields are refused, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
