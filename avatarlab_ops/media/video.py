"""Finished videos: H.264/AAC in MP4 with faststart, VP9/Opus in WebM with or without alpha. And posters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from avatarlab_ops.frames import Frame
from avatarlab_ops.media.audio import Samples
from avatarlab_ops.request import Container

_AUDIO_HZ = 48_000
_KEY_EVERY_S = 2
# A fixed number of threads makes the bytes the same on every machine: x264's output depends on it.
_X264 = {"preset": "veryfast", "crf": "20", "profile": "high", "threads": "4"}
_VP9 = {
    "deadline": "realtime",
    "cpu-used": "7",
    "row-mt": "1",
    "crf": "32",
    "b": "0",
    "threads": "4",
    "tile-columns": "2",
}


class VideoWriter:
    """Encodes RGB frames (RGBA where `alpha`) and, beside them, audio pulled as it is needed.

    `write` takes uint8 [height, width, 3 or 4]; width and height even. Both streams start at 0 s, the frame
    rate is constant, colours are BT.709 limited range and marked so. A block left by an exception removes the
    file.
    """

    def __init__(
        self, path: Path, width: int, height: int, fps: float, *,
        container: Container = "mp4", alpha: bool = False,
        audio: Iterable[Samples] = (), sample_rate: int | None = None,
    ) -> None:  # fmt: skip
        self._path, self._alpha, self.frames = path, alpha, 0
        self._rate = Fraction(fps).limit_denominator(1001)  # 29.97 is 30000 / 1001
        options = (
            {"movflags": "+faststart", "fflags": "+bitexact"}
            if container == "mp4"
            else {"fflags": "+bitexact"}
        )
        self._output = av.open(str(path), "w", format=container, options=options)
        self._video = _add_video(self._output, (width, height), self._rate, container, alpha)
        self._audio = _AudioTrack(self._output, container, iter(audio), sample_rate) if sample_rate else None
        self._reformatter = av.video.reformatter.VideoReformatter()

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Encode one frame, and the audio up to its end."""
        picture = av.VideoFrame.from_ndarray(frame, "rgba" if self._alpha else "rgb24")
        picture = self._reformatter.reformat(
            picture, format=self._video.pix_fmt, src_color_range=2, dst_colorspace=1, dst_color_range=1
        )
        picture.pts, picture.time_base = self.frames, 1 / self._rate
        self._output.mux(self._video.encode(picture))
        self.frames += 1
        if self._audio:
            self._audio.encode_until(float(self.frames / self._rate))

    def close(self) -> None:
        """Flush both streams and complete the file."""
        self._output.mux(self._video.encode(None))
        if self._audio:
            self._audio.finish()
        self._output.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._output.close()
        self._path.unlink(missing_ok=True)


class _AudioTrack:
    """Resamples and encodes mono samples from an iterator, as far as the picture has come."""

    def __init__(
        self, output: Any, container: Container, blocks: Iterator[Samples], sample_rate: int
    ) -> None:
        self._output, self._blocks, self._rate, self._taken = output, blocks, sample_rate, 0
        codec, bit_rate = ("aac", 128_000) if container == "mp4" else ("libopus", 96_000)
        self._stream: AudioStream = output.add_stream(codec, rate=_AUDIO_HZ)
        self._stream.bit_rate = bit_rate
        self._stream.layout = "mono"
        context = self._stream.codec_context
        self._resampler = av.AudioResampler(format=context.format or "fltp", layout="mono", rate=_AUDIO_HZ)

    def encode_until(self, time_s: float) -> None:
        while self._taken < time_s * self._rate:
            block = next(self._blocks, None)
            if block is None:
                return
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block[None], np.float32), "flt", "mono")
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self._taken, Fraction(1, self._rate)
            self._taken += len(block)
            self._mux(self._resampler.resample(frame))

    def finish(self) -> None:
        self.encode_until(float("inf"))
        self._mux(self._resampler.resample(None))
        self._output.mux(self._stream.encode(None))

    def _mux(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            self._output.mux(self._stream.encode(frame))


def _add_video(
    output: Any, size: tuple[int, int], rate: Fraction, container: Container, alpha: bool
) -> VideoStream:
    if container == "mp4":
        stream: VideoStream = output.add_stream("libx264", rate=rate, options=dict(_X264))
    else:
        options = _VP9 | ({"auto-alt-ref": "0"} if alpha else {})  # libvpx cannot encode alpha with alt-refs
        stream = output.add_stream("libvpx-vp9", rate=rate, options=options)
        if alpha:
            stream.metadata["alpha_mode"] = "1"
    stream.width, stream.height = size
    stream.pix_fmt = "yuva420p" if alpha else "yuv420p"
    stream.gop_size = round(_KEY_EVERY_S * rate)
    context = stream.codec_context
    context.time_base = 1 / rate
    # BT.709, limited.
    context.colorspace = context.color_primaries = context.color_trc = context.color_range = 1
    return stream


def write_poster(path: Path, frame: Frame, quality: int = 88) -> None:
    """Write a frame, RGB or RGBA uint8 [h, w, 3 or 4], as JPEG; what is transparent shows neutral grey."""
    if frame.shape[2] == 4:
        alpha = frame[..., 3:] / np.float32(255)
        frame = np.asarray(frame[..., :3] * alpha + 128 * (1 - alpha) + 0.5, np.uint8)
    encoded, data = cv2.imencode(
        ".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not encoded:
        raise ValueError(f"cannot encode a poster of shape {frame.shape}")
    path.write_bytes(data.tobytes())
