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
    if kind in TABLES:
        rows.check_text(stream, name)
    elif kind == TEMPLATE:
        template.parse(stream.read())
    else:
        lexicon.parse(stream.read(lexicon.MAX_BYTES + 1))


def _kind(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
