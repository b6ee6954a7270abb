"""The few MP4/MOV/HEIF boxes that decide safety and playback: where moov lies, whether bytes are missing.

Every question is answered in a number of steps that is bounded by the file's size and by _MOST_BOXES: boxes
lie within the box that holds them, to a depth of _DEEPEST, or the file is refused.

Source: ISO/IEC 14496-12, boxes moov, mdat, dref; ISO/IEC 23008-12 (HEIF), box ispe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from avatarlab_ops.errors import MediaRefused

_PARENTS = {b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"dinf": 0}  # where dref may lie
_OF_PICTURES = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # bytes of version and flags before the boxes within
_DEEPEST = 8  # levels of boxes; dref lies on the fifth
_MOST_BOXES = 200_000  # of one file: two for each picture of the longest clip, and then some


@dataclass(frozen=True)
class Box:
    """One box: four-byte kind, payload from `start` to `end`, in bytes from the start of the file."""

    kind: bytes
    start: int
    end: int


def largest_picture(file: BinaryIO, size: int, name: str) -> tuple[int, int]:
    """Width and height in pixels of the largest picture that a HEIF or AVIF file of `size` bytes declares.

    Raises ValueError where it declares none, MediaRefused for boxes that are a trap.
    """
    found = [(0, 0)]
    walk = _Walk(file, size, name)
    for box in walk.below(walk.top(), _OF_PICTURES):
        if box.kind == b"ispe":
            sides = walk.read(box.start + 4, 8)
            found.append((int.from_bytes(sides[:4], "big"), int.from_bytes(sides[4:], "big")))
    if len(found) == 1:
        raise ValueError("no picture size")
    return max(found, key=lambda sides: sides[0] * sides[1])


def check_self_contained(path: Path) -> None:
    """Raise MediaRefused for a file without moov, cut short, whose samples lie in other files, or whose
    boxes are a trap for those who walk them (nested without end, millions of them, reaching out of the box
    that holds them, an index that unpacks).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        walk = _Walk(file, size, path.name)
        boxes = list(walk.top())
        if b"moov" not in {box.kind for box in boxes}:
            raise MediaRefused(
                f"{path.name} is incomplete: its index (moov) is missing, as when a recording or an upload "
                "was cut off. Export or upload the video again."
            )
        missing = max(box.end for box in boxes) - size
        if missing > 0:
            raise MediaRefused(
                f"{path.name} is truncated: {missing} bytes are missing at its end. Upload it again."
            )
        if any(_points_elsewhere(walk, box) for box in walk.below(boxes, _PARENTS)):
            raise MediaRefused(
                f"{path.name} keeps its pictures or sound in other files (an external data reference). "
                "Only self-contained files are accepted: export it as one file."
            )


class _Walk:
    """The boxes of one file of `size` bytes, each held within its parent and all of them counted."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file, self._size, self.name, self._seen = file, size, name, 0

    def read(self, start: int, count: int) -> bytes:
        """So many bytes from `start`, fewer at the end of the file."""
        self._file.seek(start)
        return self._file.read(count)

    def top(self) -> Iterator[Box]:
        """Boxes of the first level; the last may claim to end beyond the file."""
        return self._row(0, self._size)

    def below(self, boxes: Iterable[Box], parents: Mapping[bytes, int], depth: int = 1) -> Iterator[Box]:
        """These boxes and all within those of the kinds `parents`, which have so many bytes before them."""
        for box in boxes:
            yield box
            if box.kind in parents:
                if depth > _DEEPEST:
                    raise self._damaged(f"its boxes lie inside one another more than {_DEEPEST} deep")
                yield from self.below(self.inside(box, parents[box.kind]), parents, depth + 1)

    def inside(self, parent: Box, skip: int) -> Iterator[Box]:
        """The boxes of `parent` from its payload's byte `skip` on."""
        if parent.end > self._size:
            raise self._damaged(f"its box {_named(parent)} ends beyond the file")
        for box in self._row(parent.start + skip, parent.end):
            if box.end > parent.end:
                raise self._damaged(f"its box {_named(box)} ends beyond {_named(parent)}, which holds it")
            yield box

    def _row(self, start: int, end: int) -> Iterator[Box]:
        while start + 8 <= end:
            self._seen += 1
            if self._seen > _MOST_BOXES:
                raise self._damaged(f"it has more than {_MOST_BOXES:,} boxes")
            head = self.read(start, 16)
            size, header = int.from_bytes(head[:4], "big"), 8
            if size == 1:
                size, header = int.from_bytes(head[8:16], "big"), 16
            stop = end if size == 0 else start + size
            yield Box(head[4:8], start + header, stop)
            if stop < start + header:  # a size smaller than its own header leads nowhere
                return
            start = stop

    def _damaged(self, why: str) -> MediaRefused:
        return MediaRefused(f"{self.name} is damaged: {why}. Export it again.")


def _named(box: Box) -> str:
    return repr(box.kind.decode("latin-1"))


def _points_elsewhere(walk: _Walk, box: Box) -> bool:
    """Tell whether a box says that samples lie in another file. Raises MediaRefused for a packed index."""
    if box.kind == b"cmov":
        raise MediaRefused(
            f"{walk.name} has a compressed index (cmov), which is not accepted. Export it again as MP4."
        )
    if box.kind != b"dref":
        return False
    return any(_is_elsewhere(walk, entry) for entry in walk.inside(box, 8))  # version, flags, entry count


def _is_elsewhere(walk: _Walk, entry: Box) -> bool:
    flags = int.from_bytes(walk.read(entry.start, 4)[1:], "big")
    return not flags & 1  # bit 0: the data are in this very file
