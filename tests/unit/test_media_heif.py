"""HEIC as phones take it, and AVIF: accepted, upright, measured before a pixel is unpacked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kit.heif import heic
from media_samples import BLUE, RED
from PIL import Image

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.media.probe import probe
from avatarlab_ops.media.sniff import sniff

PICTURE = np.full((256, 320, 3), BLUE, np.uint8)
PICTURE[:64, :80] = RED  # left top


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


def test_data_that_end_within_the_decoder_are_refused(tmp_path: Path) -> None:
    path = heic(tmp_path / "short.heic", PICTURE)
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 4
    data[at : at + 4] = b"\x7f\xff\xff\xff"  # of the first unit: it claims more bytes than there are
    path.write_bytes(data)
    with pytest.raises(MediaRefused, match=r"short\.heic cannot be decoded"):
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
