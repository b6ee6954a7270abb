"""Text of strangers, as a terminal, a database and a log may take it."""

from __future__ import annotations

import json
import unicodedata

_LINE_ENDS_AND_CONTROLS = ("Cc", "Cs", "Zl", "Zp")
_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # change the direction of reading


def printable(text: str, most: int) -> str:
    """The first `most` characters and an ellipsis; what is not printable is escaped as Python writes it.

    So none clears a screen, turns the direction of reading, forges a line, or is refused for a NUL.
    """
    shown = text if len(text) <= most else f"{text[:most]}..."
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in shown)


def escaped(text: str, kept: str = "\n\t") -> str:
    """All of a text, what a terminal would obey escaped as JSON writes it, except what is `kept`.

    >>> escaped("red \\x1b[31m"), escaped("two\\nlines", kept="")
    ('red \\\\u001b[31m', 'two\\\\nlines')
    """
    return "".join(mark if mark in kept or not _is_obeyed(mark) else json.dumps(mark)[1:-1] for mark in text)


def one_line(text: object) -> str:
    """What somebody wrote, as part of a line: it can begin none of its own."""
    return escaped(str(text), kept="")


def turns_reading(mark: str) -> bool:
    """Whether a character is one of the invisible ones that change the order in which a text is read.

    >>> turns_reading("\u202e"), turns_reading("\u200f"), turns_reading("a")
    (True, False, False)
    """
    return unicodedata.bidirectional(mark) in _TURNS


def _is_obeyed(mark: str) -> bool:
    return unicodedata.category(mark) in _LINE_ENDS_AND_CONTROLS or turns_reading(mark)
