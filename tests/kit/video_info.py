"""What a finished video really is, read back from its bytes: for reports and tests, as ffprobe would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np


@dataclass(frozen=True)
class OutputInfo:
    """Times in seconds; `constant_fps`: all frames equally far apart (within a Matroska millisecond)."""

    container: str
    width: int
    height: int
    frames: int
    fps: float
    constant_fps: bool
    duration_s: float  # of the picture
    video_start_s: float
    audio_start_s: float | None  # first audible sample, after the edit list; None without sound
    audio_duration_s: float | None
    faststart: bool
    video_codec: str
    audio_codec: str | None
    pixel_format: str
    has_alpha: bool
    colour_matrix: int  # ITU-T H.273: 1 is BT.709
    colour_range: int  # 1 limited, 2 full


def probe_output(path: Path) -> OutputInfo:
    """Read a video that Avatarlab wrote. Pictures are demultiplexed, sound is decoded."""
    path = Path(path)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        base = float(video.time_base or 0)
        pts = np.sort([p.pts for p in container.demux(video) if p.pts is not None])
        steps = np.diff(pts) * base
        fps = float(video.average_rate or 0)
        context = video.codec_context
        start, length = _audio_span(path)
        return OutputInfo(
            container=container.format.name, width=context.width, height=context.height,
            frames=len(pts), fps=fps,
            constant_fps=bool(len(steps) == 0 or np.ptp(steps) <= 0.0011),
            duration_s=float((pts[-1] - pts[0]) * base + 1 / fps), video_start_s=float(pts[0] * base),
            audio_start_s=start, audio_duration_s=length,
            faststart="mp4" in container.format.name and _is_faststart(path), video_codec=context.name,
            audio_codec=container.streams.audio[0].codec_context.name if container.streams.audio else None,
            pixel_format=context.pix_fmt or "", has_alpha=_alpha_mode(video.metadata),
            colour_matrix=int(context.colorspace), colour_range=int(context.color_range),
        )  # fmt: skip


def _alpha_mode(metadata: dict[str, str]) -> bool:
    return {key.lower(): value for key, value in metadata.items()}.get("alpha_mode") == "1"


def _audio_span(path: Path) -> tuple[float | None, float | None]:
    start: float | None = None
    samples = rate = 0
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None, None
        for frame in container.decode(audio=0):
            start = frame.time if start is None else start
            samples, rate = samples + frame.samples, frame.sample_rate
    return start, samples / rate if rate else 0.0


def _is_faststart(path: Path) -> bool:
    """Whether playback can start before the whole file has arrived (moov lies before mdat)."""
    kinds = list(_top_boxes(path.read_bytes()))
    return b"moov" in kinds and (b"mdat" not in kinds or kinds.index(b"moov") < kinds.index(b"mdat"))


def _top_boxes(content: bytes) -> Iterator[bytes]:
    """Kinds of an MP4's boxes of the first level, in file order."""
    at = 0
    while at + 8 <= len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if size == 1:  # the size is in the eight bytes that follow
            size = int.from_bytes(content[at + 8 : at + 16], "big")
        yield kind
        at += size or len(content)  # 0: to the end
