"""A HEIC picture made on the spot, as phones take it."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def hevc(rgb: np.ndarray, folder: Path) -> tuple[bytes, bytes]:
    """Decoder configuration and data of one picture."""
    path = folder / "one.mp4"
    with av.open(str(path), "w", format="mp4") as output:
        options = {"x265-params": "log-level=none:crf=10:info=0:keyint=1"}
        stream = output.add_stream("libx265", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *rgb.shape[:2], "yuv420p"
        stream.codec_context.codec_tag = "hvc1"
        picture = av.VideoFrame.from_ndarray(rgb, "rgb24")
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    with av.open(str(path)) as read:
        packet = next(read.demux(video=0))
        return bytes(read.streams.video[0].codec_context.extradata or b""), bytes(packet)


def heic(path: Path, rgb: np.ndarray, *, quarter_turns: int = 0, says: tuple[int, int] | None = None) -> Path:
    """One picture by ISO/IEC 23008-12; `quarter_turns` anticlockwise to show it upright."""
    config, data = hevc(rgb, path.parent)
    width, height = says or (rgb.shape[1], rgb.shape[0])
    properties = box(
        b"ipco", box(b"hvcC", config), full(b"ispe", struct.pack(">II", width, height)),
        box(b"irot", bytes([quarter_turns])),
    )  # fmt: skip
    head = box(b"ftyp", b"heic", b"\0\0\0\0", b"mif1", b"heic")

    item = full(b"infe", struct.pack(">HH4sx", 1, 0, b"hvc1"), version=2)

    def meta(at: int) -> bytes:
        return full(
            b"meta",
            full(b"hdlr", struct.pack(">I4s12xx", 0, b"pict")),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, at, len(data))),
            full(b"iinf", struct.pack(">H", 1), item),
            box(b"iprp", properties, full(b"ipma", struct.pack(">IHB3B", 1, 1, 3, 0x81, 2, 0x83))),
        )

    path.write_bytes(head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", data))
    return path
