"""Files of text that requests and bulk runs name, told by the end of their names: are they what that says?"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import BinaryIO

from avatarlab_ops.bulk import rows, template
from avatarlab_ops.reading import lexicon

TABLES = (".csv", ".jsonl", ".ndjson")  # rows of bulk runs; a lexicon may be .csv, too
TEMPLATE, LEXICON = ".json", ".pls"


def is_one(name: str) -> bool:
    """Whether a file of this name is one of them."""
    return _kind(name) in (*TABLES, TEMPLATE, LEXICON)


def check(name: str, size: int, stream: BinaryIO) -> None:
    """Read a file that `is_one`, of so many bytes. Raises RequestInvalid with what is wrong, and its line."""
    kind = _kind(name)
    rows.check_size(size, name)
    if kind == TEMPLATE:
        template.parse(stream.read())
    elif kind == LEXICON or (kind == ".csv" and _is_lexicon(stream)):
        lexicon.parse(stream.read(lexicon.MAX_BYTES + 1))
    else:
        rows.check_text(stream, name)


def _is_lexicon(stream: BinaryIO) -> bool:
    """Whether its first line is a lexicon's, which forgives what a table must not hold."""
    head = stream.read(lexicon.LONGEST_HEADER)
    stream.seek(0)
    return lexicon.is_header(head)


def _kind(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
