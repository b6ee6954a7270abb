"""The few MP4/MOV boxes that decide safety and playback: where moov lies, whether bytes are missing.

Source: ISO/IEC 14496-12, boxes moov, mdat, dref.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from avatarlab_ops.errors import MediaRefused

_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"dinf"}


@dataclass(frozen=True)
class Box:
    """One box: four-byte kind, payload from `start` to `end`, in bytes from the start of the file."""

    kind: bytes
    start: int
    end: int


def top_boxes(path: Path) -> list[Box]:
    """Boxes of the first level, in file order; the last may claim to end beyond the file."""
    with path.open("rb") as file:
        return list(_boxes(file, 0, path.stat().st_size))


def is_faststart(path: Path) -> bool:
    """Tell whether playback can start before the whole file has arrived (moov lies before mdat)."""
    kinds = [box.kind for box in top_boxes(path)]
    return b"moov" in kinds and (b"mdat" not in kinds or kinds.index(b"moov") < kinds.index(b"mdat"))


def check_self_contained(path: Path) -> None:
    """Raise MediaRefused for a file without moov, cut short, or whose samples lie in other files."""
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
            if box.kind == b"moov" and _points_elsewhere(file, box):
                raise MediaRefused(
                    f"{path.name} keeps its pictures or sound in other files (an external data reference). "
                    "Only self-contained files are accepted: export it as one file."
                )


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    while start + 8 <= end:
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


def _points_elsewhere(file: BinaryIO, parent: Box) -> bool:
    for box in _boxes(file, parent.start, parent.end):
        if box.kind == b"dref" and _has_external_entry(file, box):
            return True
        if box.kind in _PARENTS and _points_elsewhere(file, box):
            return True
    return False


def _has_external_entry(file: BinaryIO, dref: Box) -> bool:
    for entry in _boxes(file, dref.start + 8, dref.end):  # 8: version, flags and entry count
        file.seek(entry.start)
        flags = int.from_bytes(file.read(4)[1:], "big")
        if not flags & 1:  # bit 0: the data are in this very file
            return True
    return False
