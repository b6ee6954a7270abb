"""The ending of a German ordinal or of a date's day, by the word before it."""

from __future__ import annotations

import re

# After these in -en.
WEAK = (
    "am|vom|zum|im|beim|dem|den|des|zur|ab|bis|seit|einem|jedem|diesem|ersten|meinem|deinem|ihrem|unserem|eurem|"
    "meinen|deinen|ihren|unseren|meiner|unserer"
)
NOMINATIVE = "der|die|das|jede|jeder|jedes|diese|dieser|dieses|eine|meine|deine|ihre|unsere"
_BEFORE = re.compile(rf"\b({WEAK}|{NOMINATIVE})\s+$", re.I)


def ending(before: str | None) -> str:
    """What an ordinal in -e still needs after this word: dritter, am dritten, der dritte."""
    if before is None:
        return "r"
    return "n" if re.fullmatch(WEAK, before, re.I) else ""


def follow(date: str, before: str) -> str:
    """A date in words, dritter Mai, as it is said after this text."""
    word = _BEFORE.search(before)
    day, _, rest = date.partition(" ")
    return f"{day.removesuffix('r')}{ending(word and word[1])} {rest}"
