"""How much an input file may be: of bytes, pixels, frames and seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is accepted. Sizes are of the stored picture."""

    max_bytes: int = 2 * 1024**3
    max_image_pixels: int = 50_000_000
    max_video_pixels: int = 4096 * 2304
    max_side_px: int = 16_384
    min_side_px: int = 64
    max_frames: int = 72_000
    max_duration_s: float = 1200.0
    min_frames: int = 2
    min_fps: float = 1.0
    max_fps: float = 240.0
    max_streams: int = 16
    min_sound_s: float = 1.0
    max_sound_s: float = 1200.0
