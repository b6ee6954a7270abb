"""The few MP4/MOV/HEIF boxes that decide safety and playback: where moov lies, whether bytes are missing.

Source: ISO/IEC 14496-12, boxes moov, mdat, dref; ISO/IEC 23008-12 (HEIF), box ispe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from avatarlab_ops.errors import MediaRefused

_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"dinf"}
_DEEPEST = 8  # levels of boxes; dref lies on the fifth
_MOST_BOXES = 200_000  # of one level: two for each picture of the longest clip, and then some


@dataclass(frozen=True)
class Box:
    """One box: four-byte kind, payload from `start` to `end`, in bytes from the start of the file."""

    kind: bytes
    start: int
    end: int


def top_boxes(path: Path) -> list[Box]:
    """Boxes of the first level, in file order; the last may claim to end beyond the file.

    Raises MediaRefused for a file that is nothing but boxes.
    """
    with path.open("rb") as file:
        return list(_boxes(file, 0, path.stat().st_size, path.name))


def largest_picture(file: BinaryIO, size: int, name: str) -> tuple[int, int]:
    """Width and height in pixels of the largest picture that a HEIF or AVIF file of `size` bytes declares.

    Raises ValueError where it declares none, MediaRefused for boxes that are a trap.
    """
    found = [(0, 0)]
    inside = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # bytes of version and flags before the boxes within
    todo = [Box(b"", 0, size)]
    while todo:
        parent = todo.pop()
        for box in _boxes(file, parent.start, parent.end, name):
            if box.kind in inside and len(todo) < _DEEPEST:
                todo.append(Box(box.kind, box.start + inside[box.kind], box.end))
            elif box.kind == b"ispe":
                file.seek(box.start + 4)
                sides = file.read(8)
                found.append((int.from_bytes(sides[:4], "big"), int.from_bytes(sides[4:], "big")))
    if len(found) == 1:
        raise ValueError("no picture size")
    return max(found, key=lambda sides: sides[0] * sides[1])


def is_faststart(path: Path) -> bool:
    """Tell whether playback can start before the whole file has arrived (moov lies before mdat)."""
    kinds = [box.kind for box in top_boxes(path)]
    return b"moov" in kinds and (b"mdat" not in kinds or kinds.index(b"moov") < kinds.index(b"mdat"))


def check_self_contained(path: Path) -> None:
    """Raise MediaRefused for a file without moov, cut short, whose samples lie in other files, or whose
    boxes are a trap for those who walk them (nested without end, millions of them, an index that unpacks).
    """
    size = path.stat().st_size
    boxes = top_boxes(path)
    if b"moov" not in {box.kind for box in boxes}:
        raise MediaRefused(
            f"{path.name} is incomplete: its index (moov) is missing, as when a recording or an upload was "
            "cut off. Export or upload the video again."
        )
    over = [box for box in boxes if box.end > size]
    if over:
        missing = max(box.end for box in over) - size
        raise MediaRefused(
            f"{path.name} is truncated: {missing} bytes are missing at its end. Upload it again."
        )
    with path.open("rb") as file:
        for box in boxes:
            if box.kind == b"moov" and _points_elsewhere(file, box, path.name):
                raise MediaRefused(
                    f"{path.name} keeps its pictures or sound in other files (an external data reference). "
                    "Only self-contained files are accepted: export it as one file."
                )


def _boxes(file: BinaryIO, start: int, end: int, name: str) -> Iterator[Box]:
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        head = file.read(16)
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        stop = end if size == 0 else start + size
        yield Box(head[4:8], start + header, stop)
        if stop < start + header:  # a size smaller than its own header leads nowhere
            return
        start = stop
    raise MediaRefused(
        f"{name} is damaged: it has more than {_MOST_BOXES:,} boxes in a row. Export it again."
    )


def _points_elsewhere(file: BinaryIO, parent: Box, name: str, depth: int = 1) -> bool:
    if depth > _DEEPEST:
        raise MediaRefused(
            f"{name} is damaged: its boxes lie inside one another more than {_DEEPEST} deep. Export it again."
        )
    for box in _boxes(file, parent.start, parent.end, name):
        if box.kind == b"cmov":
            raise MediaRefused(
                f"{name} has a compressed index (cmov), which is not accepted. Export it again as MP4."
            )
        if box.kind == b"dref" and _has_external_entry(file, box, name):
            return True
        if box.kind in _PARENTS and _points_elsewhere(file, box, name, depth + 1):
            return True
    return False


def _has_external_entry(file: BinaryIO, dref: Box, name: str) -> bool:
    for entry in _boxes(file, dref.start + 8, dref.end, name):  # 8: version, flags and entry count
        file.seek(entry.start)
        flags = int.from_bytes(file.read(4)[1:], "big")
        if not flags & 1:  # bit 0: the data are in this very file
            return True
    return False
