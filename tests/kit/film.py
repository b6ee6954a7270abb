"""What a player finds in a video file: streams, clocks, layout, pictures, sound, captions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

SIDE_PX = 160


@dataclass(frozen=True)
class Clock:
    """Times of one stream as decoded, in seconds; `steps`: every distance between two neighbouring frames."""

    start_s: float
    end_s: float
    frames: int
    steps: frozenset[Fraction]


def video_clock(path: Path) -> Clock:
    """Clock of the pictures; the last is shown as long as the stream's rate says."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        times = [_time(frame) for frame in file.decode(stream)]
        assert stream.average_rate is not None
        steps = frozenset(later - earlier for earlier, later in pairwise(times))
        return Clock(float(times[0]), float(times[-1] + 1 / stream.average_rate), len(times), steps)


def _time(frame: av.VideoFrame) -> Fraction:
    assert frame.pts is not None
    assert frame.time_base is not None
    return frame.pts * frame.time_base


def audio_clock(path: Path) -> Clock:
    """Clock of the sound."""
    with av.open(str(path)) as file:
        frames = [(frame.time, frame.samples, frame.sample_rate) for frame in file.decode(audio=0)]
    assert frames[0][0] is not None
    start_s = float(frames[0][0])
    seconds = sum(samples for _, samples, _ in frames) / frames[0][2]
    return Clock(start_s, start_s + seconds, len(frames), frozenset())


def sound(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """The sound track, float32 [n] mono at `sample_rate`, silence before a late start included."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=sample_rate)
    with av.open(str(path)) as file:
        frames = [*file.decode(audio=0)]
        assert frames[0].time is not None
        start = round(frames[0].time * sample_rate)
        blocks = [out.to_ndarray()[0] for frame in [*frames, None] for out in resampler.resample(frame)]
    return np.concatenate([np.zeros(max(0, start), np.float32), *blocks]).astype(np.float32)


def delay_s(heard: NDArray[np.float32], meant: NDArray[np.float32], sample_rate: int) -> float:
    """How much later `heard` says what `meant` says, in seconds (the peak of their correlation)."""
    from scipy.signal import correlate

    at = int(np.argmax(correlate(heard, meant, mode="full", method="fft")))
    return (at - (len(meant) - 1)) / sample_rate


def boxes(path: Path) -> list[str]:
    """Names of an MP4's outer boxes in the order of the file; faststart is moov before mdat."""
    content, names, at = path.read_bytes(), [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        names.append(content[at + 4 : at + 8].decode("ascii"))
        if size == 1:
            size = int.from_bytes(content[at + 8 : at + 16], "big")
        at += size or len(content)
    return names


def frames(path: Path) -> list[NDArray[np.uint8]]:
    """Every picture, RGB uint8 [h, w, 3]."""
    with av.open(str(path)) as file:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in file.decode(video=0)]


def cutout(path: Path) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Pictures and alpha planes (uint8 [h, w]) of a VP9 WebM; only libvpx decodes the alpha."""
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    colours, alphas = [], []
    with av.open(str(path)) as file:
        for packet in file.demux(video=0):
            for frame in decoder.decode(packet if packet.size else None):
                assert frame.format.name == "yuva420p", frame.format.name
                rgba = np.asarray(frame.to_ndarray(format="rgba"), np.uint8)
                colours.append(rgba[..., :3])
                alphas.append(rgba[..., 3])
    return colours, alphas


@dataclass(frozen=True)
class Cue:
    """One caption as written in a file."""

    start_s: float
    end_s: float
    text: str


_TIMES = re.compile(r"(\d+):(\d\d):(\d\d)[.,](\d{3}) --> (\d+):(\d\d):(\d\d)[.,](\d{3})")


def cues(path: Path) -> list[Cue]:
    """The captions of an SRT or WebVTT file."""
    found = []
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        lines = block.splitlines()
        at = next((n for n, line in enumerate(lines) if _TIMES.match(line)), None)
        if at is None:
            assert block.startswith("WEBVTT"), block
            continue
        h1, m1, s1, f1, h2, m2, s2, f2 = map(int, _TIMES.match(lines[at]).groups())  # type: ignore[union-attr]
        start_s, end_s = h1 * 3600 + m1 * 60 + s1 + f1 / 1000, h2 * 3600 + m2 * 60 + s2 + f2 / 1000
        found.append(Cue(start_s, end_s, " ".join(lines[at + 1 :])))
    return found


def contact_sheet(pictures: list[NDArray[np.uint8]], columns: int, width: int = SIDE_PX) -> NDArray[np.uint8]:
    """Pictures of one size side by side, each scaled to `width`."""
    height = round(width * pictures[0].shape[0] / pictures[0].shape[1])
    small = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in pictures]
    small += [np.zeros_like(small[0])] * (-len(small) % columns)
    rows = [np.hstack(small[at : at + columns]) for at in range(0, len(small), columns)]
    return np.asarray(np.vstack(rows), np.uint8)
