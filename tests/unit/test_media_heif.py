"""HEIC as phones take it, and AVIF: accepted, upright, measured before a pixel is unpacked."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import BLUE, RED
from PIL import Image

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.media.probe import probe
from avatarlab_ops.media.sniff import sniff

PICTURE = np.full((256, 320, 3), BLUE, np.uint8)
PICTURE[:64, :80] = RED  # left top


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


def test_a_picture_of_a_phone_is_accepted_and_stands_upright(tmp_path: Path) -> None:
    path = heic(tmp_path / "IMG_0001.heic", np.ascontiguousarray(np.rot90(PICTURE, -1)), quarter_turns=1)
    info = probe(path)
    assert (info.kind, info.format, info.width, info.height) == ("image", "HEIC", 320, 256)
    with open_footage(path, fps=25, max_short_side_px=720) as footage:
        shown = footage[0].astype(int)
    assert np.abs(shown[20, 20] - RED).max() < 25
    assert np.abs(shown[200, 200] - BLUE).max() < 25
    assert np.abs(shown[20, 300] - BLUE).max() < 25


def test_avif_is_accepted(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.avif", quality=90)
    info = probe(tmp_path / "a.avif")
    assert (info.kind, info.format, info.width, info.height) == ("image", "AVIF", 320, 256)
    with open_footage(tmp_path / "a.avif", fps=25, max_short_side_px=720) as footage:
        assert np.abs(footage[0].astype(int)[20, 20] - RED).max() < 25


def test_a_size_beyond_the_limit_is_refused_by_what_the_header_says(tmp_path: Path) -> None:
    path = heic(tmp_path / "huge.heic", PICTURE, says=(30_000, 20_000))
    with pytest.raises(MediaRefused, match=r"30000x20000.*megapixels"):
        probe(path)


def test_a_picture_that_is_larger_than_its_header_says_is_refused(tmp_path: Path) -> None:
    path = heic(tmp_path / "sly.heic", PICTURE, says=(64, 64))
    with pytest.raises(MediaRefused):
        probe(path)


def test_damaged_data_are_refused(tmp_path: Path) -> None:
    path = heic(tmp_path / "cut.heic", PICTURE)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(MediaRefused, match=r"cut\.heic"):
        probe(path)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypmsf1\0\0\0\0msf1hevc", "image sequence"),
        (b"\0\0\0\x18ftypavis\0\0\0\0avisavif", "image sequence"),
        (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
        ((b"G\x1f\xff\x10" + bytes(184)) * 8, "MPEG transport stream"),
        ((b"\0\0\x12\x34G\x1f\xff\x10" + bytes(184)) * 8, "MPEG transport stream"),
        (b"\0\0\x01\xba", "MPEG program stream"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
    ],
)
def test_what_is_not_accepted_is_called_by_its_name(head: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(head if len(head) > 400 else head + bytes(400))
    with pytest.raises(MediaRefused, match=f"{name}.*HEIC or AVIF image"):
        sniff(tmp_path / "a.bin")
