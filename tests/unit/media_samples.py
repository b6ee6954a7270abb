"""Small clips and pictures made on the spot, and foreign ones that test packages carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from importlib.metadata import files
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from avatarlab_ops.media.audio import write_wav

RED, GREEN, BLUE = (220, 40, 40), (40, 200, 60), (40, 60, 220)


def numbered(index: int, width: int = 320, height: int = 180) -> np.ndarray:
    """A frame whose grey level tells its number (5 levels apart), red in the left top corner."""
    frame = np.full((height, width, 3), 20 + 5 * (index % 44), np.uint8)
    frame[: height // 4, : width // 4] = RED
    return frame


def number_of(frame: np.ndarray) -> int:
    """Read the number back from the middle of a frame."""
    height, width = frame.shape[:2]
    return round((float(frame[height // 2 : height * 3 // 4, width // 2 : width * 3 // 4].mean()) - 20) / 5)


def encode(
    path: Path, frames: Iterable[np.ndarray], *, fps: int = 25, pts_ms: Callable[[int], int] | None = None,
    codec: str = "libx264", gop: int = 250, rotate: int | None = None, options: dict[str, str] | None = None,
    tone: bool = False, **container: Any,
) -> Path:  # fmt: skip
    """Encode frames as a foreign tool might: any time stamps, long GOPs, B-frames, a display rotation."""
    with av.open(str(path), "w", **container) as output:
        quality = {"crf": "8"} if codec == "libx264" else {}
        stream = output.add_stream(codec, rate=fps, options=quality | (options or {}))
        stream.gop_size = gop
        audio = output.add_stream("aac", rate=48_000) if tone else None
        if rotate:
            stream.set_display_rotation(rotate)
        count = 0
        base = Fraction(1, 1000) if pts_ms else Fraction(1, fps)
        for index, frame in enumerate(frames):
            if not index:
                stream.width, stream.height = frame.shape[1], frame.shape[0]
                stream.pix_fmt = "yuv444p" if frame.shape[0] % 2 or frame.shape[1] % 2 else "yuv420p"
                stream.codec_context.time_base = base
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
            picture.pts, picture.time_base = pts_ms(index) if pts_ms else index, base
            output.mux(stream.encode(picture))
            count += 1
        output.mux(stream.encode(None))
        if audio:
            block = av.AudioFrame.from_ndarray(
                np.zeros((1, round(count / fps * 48_000)), np.float32), "fltp", "mono"
            )
            block.sample_rate, block.pts = 48_000, 0
            output.mux(audio.encode(block))
            output.mux(audio.encode(None))
    return path


def speech(path: Path, seconds: float, rate: int = 24_000) -> Path:
    """A wav of a click every half second over a tone that starts at the first sample."""
    n = round(seconds * rate)
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(n) / rate)
    write_wav(path, wave.astype(np.float32), rate)
    return path


def png(path: Path, rgb: np.ndarray) -> Path:
    cv2.imwrite(
        str(path), np.ascontiguousarray(rgb[..., ::-1] if rgb.shape[2] == 3 else rgb[..., [2, 1, 0, 3]])
    )
    return path


def packaged(distribution: str, name: str) -> Path:
    """A clip that a test package carries."""
    return Path(str(next(f for f in files(distribution) or [] if str(f).endswith(name)).locate()))
