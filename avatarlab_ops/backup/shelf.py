"""A set of texts that lies on disk: memory does not grow with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self


class Shelf:
    """Texts, each once, in a private file that SQLite removes when it is closed; for one thread."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # "": a temporary file, paged in as needed
        self._db.execute("CREATE TABLE shelf (text TEXT PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def add(self, texts: Iterable[str]) -> None:
        """Put texts on it; those that it has already stay."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR IGNORE INTO shelf VALUES (?)", ((text,) for text in texts))
        self._db.execute("COMMIT")

    def discard(self, text: str) -> None:
        """Take one off, if it is there."""
        self._db.execute("DELETE FROM shelf WHERE text = ?", (text,))

    def __contains__(self, text: str) -> bool:
        return self._db.execute("SELECT 1 FROM shelf WHERE text = ?", (text,)).fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        return (text for (text,) in self._db.execute("SELECT text FROM shelf ORDER BY text"))

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM shelf").fetchone()[0])
