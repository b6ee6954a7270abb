"""Opening untrusted containers: the demuxer their content names, local only, known codecs, bounded sizes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.video.stream import VideoStream
from numpy.typing import NDArray

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.handed import Handed
from avatarlab_ops.media.sniff import FileType

VIDEO_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "prores", "ffv1"})
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_UNITS = (3600, 60, 1)
MAX_DECODED_PIXELS = 4096 * 2304  # a stream may grow its pictures midway; libavcodec refuses beyond this
Sign = Literal[-1, 0, 1]
Turn = tuple[Sign, Sign, Sign, Sign]  # of a display matrix


@dataclass(frozen=True)
class PacketScan:
    """The pictures of a video stream as its packets declare them. Ticks are of `time_base` seconds."""

    pts: NDArray[np.int64]  # [n], ascending
    keys: NDArray[np.int64]  # indices into pts where decoding can start
    time_base: float
    corrupt: int
    hidden: int  # packets that only prime the decoder, before the edit list's start
    last: int = 0  # how long the last picture stands by its packet, within the end that the file declares

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each picture shows, seconds from the first."""
        return np.asarray((self.pts - self.pts[0]) * self.time_base, np.float64)

    @property
    def interval_s(self) -> float:
        """The usual distance between two pictures (median), 0 for fewer than two."""
        return float(np.median(np.diff(self.pts)) * self.time_base) if len(self.pts) > 1 else 0.0

    @property
    def rounding_s(self) -> float:
        """How much a distance may differ by the clock's ticks alone; a tick may be as long as a picture."""
        return min(self.time_base, self.interval_s / 4)

    @property
    def usual_fps(self) -> float:
        """Pictures a second of most of them, where most are about equally far apart, else on average."""
        gaps = np.diff(self.times_s)
        near = gaps[np.abs(gaps - self.interval_s) <= 0.1 * self.interval_s + self.rounding_s]
        return float(1 / np.mean(near if 2 * len(near) > len(gaps) else gaps))

    @property
    def stands(self) -> bool:
        """Whether the last picture stands longer than the usual one, as where a screen is recorded."""
        return self.last * self.time_base > 1.5 * self.interval_s + self.rounding_s

    @property
    def duration_s(self) -> float:
        """From the first picture to the end of the last, taken as long as the usual one unless it stands."""
        last_s = self.last * self.time_base if self.stands else self.interval_s
        return float(self.times_s[-1] + last_s)

    @property
    def longest_gop(self) -> int:
        """Most pictures that must be decoded to reach one picture."""
        return int(np.diff(np.append(self.keys, len(self.pts))).max())


def open_input(path: Path, type_: FileType) -> InputContainer:
    """Open a local file by exactly the demuxer its content named. Raises MediaRefused."""
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,wav,flac,mp3,ogg",
    }
    try:
        # What was handed over is read through Python: a demuxer in a confined process opens nothing.
        source = path.open("rb") if isinstance(path, Handed) else f"file:{path}"
        return av.open(source, format=type_.demuxer, container_options=options, buffer_size=1 << 18)
    except (av.FFmpegError, ValueError) as error:
        raise MediaRefused(
            f"{path.name} looks like {type_.label} but cannot be opened ({_reason(error)}). Export it again."
        ) from error


def video_stream(container: InputContainer, name: str) -> VideoStream | None:
    """Return the first moving-picture stream (not cover art), ready to decode, or None."""
    for stream in container.streams.video:
        if stream.disposition & av.stream.Disposition.attached_pic:
            continue
        context = stream.codec_context
        if context is None or context.name not in VIDEO_CODECS | {"libdav1d", "libvpx-vp9"}:
            given = "an unknown codec" if context is None else f"the codec {context.name}"
            raise MediaRefused(
                f"{name} is compressed with {given}; accepted are {', '.join(sorted(VIDEO_CODECS))}. "
                "Convert it to H.264 in MP4."
            )
        context.options = {"max_pixels": str(MAX_DECODED_PIXELS)}
        stream.thread_type = "AUTO"
        return stream
    return None


def scan(
    container: InputContainer, stream: VideoStream, check: Callable[[int, float], None] | None = None
) -> PacketScan:
    """Read every packet once. `check(pictures, seconds)` may raise to stop an endless file early."""
    base = float(stream.time_base or 0)
    pts: list[int] = []
    keys: list[int] = []
    corrupt = hidden = end = 0
    for packet in container.demux(stream):
        if packet.pts is None and packet.dts is None:
            continue  # the flush packet
        if packet.is_discard:
            hidden += 1
            continue
        stamp = int(packet.pts if packet.pts is not None else packet.dts or 0)
        corrupt += packet.is_corrupt
        pts.append(stamp)
        end = max(end, stamp + int(packet.duration or 0))
        if packet.is_keyframe:
            keys.append(stamp)
        if check:
            check(len(pts), (stamp - pts[0]) * base)
    times = np.unique(np.asarray(pts, np.int64))
    last = _standing(container, stream, times, end)
    if check and len(times):
        check(len(times), float(times[-1] - times[0] + last) * base)
    # The first is a start whatever its packet says: its key may be hidden, or a cut left it without one.
    starts = np.unique(np.append(np.searchsorted(times, np.asarray(keys, np.int64)), 0))
    return PacketScan(times, starts, base, corrupt, hidden, last)


def own_end_s(stream: VideoStream, first_s: float) -> float | None:
    """When the pictures end by the stream's own word: its length, or the tag that Matroska has for it."""
    if stream.duration:
        return first_s + float(stream.duration * (stream.time_base or 0))
    tags = (value for key, value in stream.metadata.items() if key.upper().startswith("DURATION"))
    clock = _CLOCK.match(next(tags, ""))
    return (
        sum(float(part) * unit for part, unit in zip(clock.groups(), _UNITS, strict=True)) if clock else None
    )


def _standing(container: InputContainer, stream: VideoStream, times: NDArray[np.int64], end: int) -> int:
    """Ticks from the last picture to the `end` that packets tell, or to the earlier one of stream or file."""
    base = float(stream.time_base or 0)
    if not len(times) or not base:
        return 0
    declared_s = own_end_s(stream, float(times[0]) * base) or (container.duration or 0) / av.time_base
    return max(0, min(end, round(declared_s / base)) - int(times[-1]))


def display_matrix(frame: av.VideoFrame) -> Turn:
    """Signs (a, b, c, d) of the display matrix: x' = a x + c y, y' = b x + d y; (1, 0, 0, 1) where absent."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 1, 0, 0, 1
    m = np.frombuffer(bytes(cast(SideData, data)), np.int32)
    a, b, c, d = (int(m[i]) for i in (0, 1, 3, 4))
    if abs(b) > abs(a):
        return 0, _sign(b), _sign(c), 0
    return _sign(a), 0, 0, _sign(d)


def _sign(value: int) -> Sign:
    return 1 if value >= 0 else -1


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
