"""Small files that ask for much are refused by name before anything is allocated for them."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st
from media_samples import encode, numbered
from PIL import Image

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media import images, isobmff
from avatarlab_ops.media.probe import probe


def refusal(path: Path) -> str:
    with pytest.raises(MediaRefused) as caught:
        probe(path, allow=("image", "video", "audio"))
    assert path.name in str(caught.value), "the message names the file"
    return str(caught.value)


@pytest.mark.parametrize(
    ("format_", "rate", "channels", "said"),
    [
        ("WAV", 1, 8, "1 samples a second; 8,000 to 192,000"),
        ("FLAC", 50, 1, "50 samples a second; 8,000 to 192,000"),
        ("WAV", 4_000_000, 1, "4,000,000 samples a second"),
        ("WAV", 48_000, 64, "64 channels; 1 to 8"),
    ],
)
def test_sound_that_a_resampler_would_blow_up(
    tmp_path: Path, format_: str, rate: int, channels: int, said: str
) -> None:
    path = tmp_path / f"voice.{format_.lower()}"
    soundfile.write(path, np.full((4096, channels), 0.1, np.float32), rate, format=format_)
    assert said in refusal(path)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(side: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))


def picture(path: Path, *before: bytes, side: int = 200) -> Path:
    rows = chunk(b"IDAT", zlib.compress(bytes((side + 1) * side)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(before) + rows + chunk(b"IEND", b""))
    return path


def test_a_png_with_two_sizes(tmp_path: Path) -> None:
    assert "two IHDR" in refusal(picture(tmp_path / "two.png", header(200), header(13_000)))


def test_a_size_that_changes_on_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = picture(tmp_path / "face.png", header(200))
    monkeypatch.setattr(images, "measure", lambda *_: images.ImageHeader(100, 100, animated=False))
    assert "header says 100x100 pixels, its data 200x200" in refusal(path)


def test_a_png_of_chunks_without_end(tmp_path: Path) -> None:
    padding = chunk(b"teSt", b"") * 20_000
    assert "10,000 chunks" in refusal(picture(tmp_path / "chunks.png", header(200), padding))


def progressive() -> tuple[bytes, bytes]:
    """A progressive JPEG in two parts, cut before its last scan."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    at = data.rindex(b"\xff\xda")
    return data[:at], data[at:-2]


def test_a_jpeg_of_many_scans(tmp_path: Path) -> None:
    front, scan = progressive()
    path = tmp_path / "scans.jpg"
    path.write_bytes(front + scan + b"\xff\xd9")
    assert probe(path).kind == "image", "about ten scans are what encoders make"
    path.write_bytes(front + 100 * scan + b"\xff\xd9")
    assert "more than 64 scans" in refusal(path)


def test_a_jpeg_of_padding_is_passed_over_at_once(tmp_path: Path) -> None:
    front, scan = progressive()
    path = tmp_path / "padded.jpg"
    path.write_bytes(front[:2] + b"\xff" * 3_000_000 + front[2:] + scan + b"\xff\xd9")
    assert images.measure(path, "JPEG").width == 128
    path.write_bytes(front + scan[:300] + b"\xff" * 3_000_000 + b"\0\xff\xd9")
    assert images.measure(path, "JPEG").width == 128


def test_what_follows_the_picture_is_not_counted(tmp_path: Path) -> None:
    front, scan = progressive()
    path = tmp_path / "motion.jpg"  # phones append a film
    path.write_bytes(front + scan + b"\xff\xd9" + b"\xff\xda" * 1000)
    assert probe(path).width == 128


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def nested(kind: bytes, depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = box(kind, body)
    return body


@pytest.mark.parametrize(
    ("movie", "said"),
    [
        (lambda: box(b"moov", nested(b"trak", 3000)), "more than 8 deep"),
        (lambda: box(b"moov", box(b"trak", b"") * 300_000), "more than 200,000 boxes"),
        (lambda: box(b"moov", b"") + box(b"free", b"") * 300_000, "more than 200,000 boxes"),
        (lambda: box(b"moov", box(b"cmov", bytes(40))), "compressed index (cmov)"),
    ],
    ids=["nested", "boxes-inside", "boxes-outside", "cmov"],
)
def test_boxes_that_trap_their_reader(tmp_path: Path, movie: Callable[[], bytes], said: str) -> None:
    path = tmp_path / "trap.mp4"
    path.write_bytes(box(b"ftyp", b"isom" + bytes(8)) + movie())
    assert said in refusal(path)


def reaching(*path: bytes, beyond: int) -> bytes:
    """Boxes within one another, the innermost of which claims `beyond` bytes more than it has."""
    body = struct.pack(">I4s", 16 + beyond, path[-1]) + bytes(8)
    for kind in reversed(path[:-1]):
        body = box(kind, body)
    return body


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "trap.mp4",
            box(b"ftyp", b"isom" + bytes(8)) + reaching(b"moov", b"trak", b"mdia", beyond=8) + bytes(8),
            "its box 'mdia' ends beyond 'trak'",
        ),
        (
            "trap.heic",
            box(b"ftyp", b"heic" + bytes(8)) + box(b"meta", bytes(4) + reaching(b"iprp", b"ipco", beyond=1)),
            "its box 'ipco' ends beyond 'iprp'",
        ),
        (
            "cut.heic",
            box(b"ftyp", b"heic" + bytes(8)) + reaching(b"meta", beyond=1),
            "its box 'meta' ends beyond the file",
        ),
    ],
)
def test_a_box_that_reaches_out_of_the_one_that_holds_it(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert said in refusal(path)


class Counted(io.BytesIO):
    """Bytes in memory that may be read so many times."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self.left = most

    def read(self, size: int | None = -1, /) -> bytes:
        """As it was; no more often than allowed."""
        self.left -= 1
        assert self.left >= 0, "it is read more often than its bytes warrant"
        return super().read(size)


class InMemory(PosixPath):
    """A path to bytes that are counted."""

    counted: Counted

    def open(self, *_: Any, **__: Any) -> Any:
        """The bytes; closing them is no matter."""
        return contextlib.nullcontext(self.counted)

    def stat(self, **_: Any) -> os.stat_result:
        """Of a file of that size."""
        return os.stat_result((0,) * 6 + (len(self.counted.getvalue()),) + (0,) * 3)


KINDS = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref", b"meta", b"iprp", b"ipco", b"ispe", b"free")
LENGTHS = (0, 1, 7, 8, 12, 16, 20, 24, 32, 64, 400, 4000, 2**31)
LINES = st.tuples(st.sampled_from(LENGTHS), st.sampled_from(KINDS), st.binary(max_size=12))
STEPS_A_BOX = 2  # its head, and what it says
LEVELS = 10
NEST_OF_PICTURES = [(20, b"meta", bytes(4)), *([(16, b"ipco", b""), (400, b"ipco", b"")] * 24)]
NEST_OF_MOVIES = [(4000, b"moov", b""), *([(24, b"trak", b""), (4000, b"dref", bytes(8))] * 150)]


@given(st.lists(LINES, max_size=60))
@example(NEST_OF_PICTURES)
@example(NEST_OF_MOVIES)
def test_any_boxes_are_judged_in_steps_that_their_bytes_bound(lines: list[tuple[int, bytes, bytes]]) -> None:
    content = b"".join(struct.pack(">I4s", size, kind) + body for size, kind, body in lines)
    most = STEPS_A_BOX * (1 + LEVELS * (1 + len(content) // 8))
    with contextlib.suppress(MediaRefused, ValueError):
        isobmff.largest_picture(Counted(content, most), len(content), "face.heic")
    movie = InMemory("clip.mp4")
    movie.counted = Counted(content, most)
    with contextlib.suppress(MediaRefused):
        isobmff.check_self_contained(movie)


def test_a_plain_clip_still_passes(tmp_path: Path) -> None:
    assert probe(encode(tmp_path / "clip.mp4", (numbered(i) for i in range(25)))).frames == 25
