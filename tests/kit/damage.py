"""Small files of every accepted type, and damage by number: the same number always does the same."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
from media_samples import encode, numbered, speech
from PIL import Image

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.media.probe import probe

TYPES = (
    "clip.mp4", "clip.mov", "clip.mkv", "clip.webm",
    "face.png", "face.jpg", "progressive.jpg", "face.webp", "face.avif",
    "voice.wav", "voice.flac",
)  # fmt: skip
HEAD_BYTES = 400  # where headers and indexes lie: half of all damage goes there
FIELDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


def originals(folder: Path) -> dict[str, bytes]:
    """The undamaged files by name."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8))
    for name in TYPES:
        path = folder / name
        if name.startswith("clip"):
            codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
            encode(path, (numbered(i, 96, 80) for i in range(12)), codec=codec, tone=name == "clip.mp4")
        elif name.startswith("progressive"):
            noise.save(path, progressive=True)
        elif name.startswith("face"):
            noise.save(path)
        else:
            _recording(path)
    return {name: (folder / name).read_bytes() for name in TYPES}


def _recording(path: Path) -> None:
    import soundfile

    speech(path.with_suffix(".wav"), 1.2, 16_000)
    if path.suffix == ".flac":
        soundfile.write(path, *soundfile.read(path.with_suffix(".wav")))


def damaged(content: bytes, number: int) -> bytes:
    """`content` with one to three changes: bytes, lengths, spans lost, doubled, zeroed; the end cut."""
    rng = np.random.default_rng(number)
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        reach = min(len(data), HEAD_BYTES) if rng.random() < 0.5 else len(data)
        at, span = int(rng.integers(0, max(reach, 1))), int(rng.integers(1, 64))
        match rng.integers(0, 6):
            case 0 | 1:
                data[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 2:
                value = FIELDS[rng.integers(0, len(FIELDS))]
                data[at : at + 4] = struct.pack(">I" if rng.random() < 0.5 else "<I", value)
            case 3:
                del data[at : at + span]
            case 4:
                data[at:at] = data[at : at + span]
            case _:
                data[at : at + span] = bytes(span)
    return bytes(data[: max(1, int(len(data) * rng.uniform(0.3, 1)))] if rng.random() < 0.2 else data)


def use(path: Path) -> None:
    """Probe a file as admission does and read its pictures as stages do; only MediaRefused is expected."""
    with contextlib.suppress(MediaRefused):
        if probe(path, allow=("image", "video", "audio")).kind != "audio":
            with open_footage(path, fps=25, max_short_side_px=64) as footage:
                for frame in footage.iter():
                    assert frame.shape == (footage.height, footage.width, 3)
