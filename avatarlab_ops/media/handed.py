"""A file that somebody else opened, seen as a path: the child has no right to open any file itself."""

from __future__ import annotations

import io
import os
from pathlib import PosixPath
from typing import Any


class Handed(PosixPath):
    """`name` is what messages call it. Each `open` reads from its own position."""

    descriptor: int

    @classmethod
    def of(cls, name: str, descriptor: int) -> Handed:
        """Name an open descriptor."""
        path = cls(name)
        path.descriptor = descriptor
        return path

    def open(self, *_: Any, **__: Any) -> Any:
        """A reader of the whole file."""
        return io.BufferedReader(_Reader(self.descriptor, str(self)), 1 << 16)

    def stat(self, **_: Any) -> os.stat_result:
        """Size and times of the open file."""
        return os.fstat(self.descriptor)


class _Reader(io.RawIOBase):
    """Reads at a position of its own, which descriptors that were passed on do not have."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor, self.name, self._at = descriptor, name, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._descriptor, [buffer], self._at)
        self._at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._descriptor).st_size}
        if start[whence] + offset < 0:
            raise OSError("seek before the start of the file")
        self._at = start[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at
