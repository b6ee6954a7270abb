"""Text of strangers, as a terminal, a database and a log may take it."""

from __future__ import annotations


def printable(text: str, most: int) -> str:
    """The first `most` characters and an ellipsis; what is not printable is escaped as Python writes it.

    So none clears a screen, turns the direction of reading, forges a line, or is refused for a NUL.
    """
    shown = text if len(text) <= most else f"{text[:most]}..."
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in shown)
