"""What a file is and whether it may enter: the gate before any engine runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media import images
from avatarlab_ops.media.clip import Clip, plane_of
from avatarlab_ops.media.complete import check_complete
from avatarlab_ops.media.container import PacketScan, display_matrix, open_input, scan, video_stream
from avatarlab_ops.media.deinterlace import LOOKED_AT, interlaced, weavable
from avatarlab_ops.media.isobmff import check_self_contained
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.media.sniff import FileType, Kind, sniff
from avatarlab_ops.media.sound import check_heard, heard_track, read_sound
from avatarlab_ops.media.tonemap import mapping_of

_TAIL_FRAMES = 300  # at most so many pictures of the last GOP are decoded as a check
_PROBE_HZ = 24_000


@dataclass(frozen=True)
class MediaInfo:
    """A file that passed. width and height are as shown: after rotation and with square pixels."""

    kind: Kind
    format: str
    codec: str
    bytes: int
    width: int
    height: int
    fps: float  # average; 0 for images and sound
    frames: int  # 1 for an image, 0 for sound
    duration_s: float
    has_audio: bool
    rotation: int  # degrees clockwise applied to the stored picture: 0, 90, 180 or 270
    variable_rate: bool = False
    usual_fps: float = 0.0  # of a video: of most of its pictures, on average where no rate prevails
    own_alpha: bool | None = None  # whether its alpha channel cuts something out; None: a clip without one
    notes: tuple[str, ...] = ()
    read_as: tuple[str, ...] = ()  # what is read otherwise than of plain footage; see plan.Source


def probe(
    path: Path,
    limits: Limits = Limits(),
    *,
    allow: tuple[Kind, ...] = ("image", "video"),
) -> MediaInfo:
    """Check a file against the limits and tell what it is.

    Raises MediaRefused saying what was given, what the limit is and what to do.
    """
    size = path.stat().st_size
    if size > limits.max_bytes:
        given = f"{path.name} has {size:,} bytes"
        raise MediaRefused(f"{given}; at most {limits.max_bytes:,} are accepted. Compress or shorten it.")
    type_ = sniff(path)
    maybe = {"video", "audio"} if type_.kind == "video" else {type_.kind}  # an MP4 may hold sound only
    if not maybe & set(allow):
        raise _wrong_kind(path, type_.kind, allow)
    if type_.kind == "image":
        return _probe_image(path, type_, limits)
    info = _probe_container(path, type_, limits)
    if info.kind not in allow:
        raise _wrong_kind(path, info.kind, allow)
    return replace(info, duration_s=_sound_s(path, limits)) if info.kind == "audio" else info


def _wrong_kind(path: Path, kind: Kind, allow: tuple[Kind, ...]) -> MediaRefused:
    holds = "sound only, no picture" if kind == "audio" else f"{'an' if kind == 'image' else 'a'} {kind}"
    wanted = " or ".join({"image": "an image", "video": "a video", "audio": "sound"}[k] for k in allow)
    return MediaRefused(f"{path.name} holds {holds}; {wanted} is needed here. Choose another file.")


def _probe_image(path: Path, type_: FileType, limits: Limits) -> MediaInfo:
    header = images.measure(path, type_.demuxer)
    _check_size(path, header.width, header.height, limits.max_image_pixels, limits)
    if header.animated:
        raise MediaRefused(
            f"{path.name} is an animated {type_.label}; a still image or a video is needed. "
            "Export one picture, or convert the animation to MP4."
        )
    rgb, notes = images.load(path, type_.demuxer, max_short_side_px=None)
    height, width = rgb.shape[:2]
    return MediaInfo(
        "image", type_.label, type_.demuxer.lower(), path.stat().st_size, width, height, fps=0.0, frames=1,
        duration_s=0.0, has_audio=False,
        rotation=0 if (width, height) == (header.width, header.height) else 90,
        own_alpha=any("transparent" in note for note in notes), notes=notes,
    )  # fmt: skip


def _check_size(path: Path, width: int, height: int, max_pixels: int, limits: Limits) -> None:
    given = f"{path.name} is {width}x{height} pixels"
    if width * height > max_pixels:
        raise MediaRefused(
            f"{given} ({width * height / 1e6:.1f} megapixels); at most {max_pixels / 1e6:.1f} megapixels are "
            "accepted. Scale it down."
        )
    if max(width, height) > limits.max_side_px:
        raise MediaRefused(f"{given}; no side may exceed {limits.max_side_px} pixels. Scale it down.")
    if min(width, height) < limits.min_side_px:
        raise MediaRefused(
            f"{given}; both sides need at least {limits.min_side_px} pixels. Use a larger picture."
        )


def _probe_container(path: Path, type_: FileType, limits: Limits) -> MediaInfo:
    if type_.demuxer == "mov":
        check_self_contained(path)
    with open_input(path, type_) as container:
        if len(container.streams) > limits.max_streams:
            raise MediaRefused(
                f"{path.name} has {len(container.streams)} streams; {limits.max_streams} are allowed. "
                "Export it with one video and one audio stream."
            )
        stream = video_stream(container, path.name)
        try:
            return (
                _probe_audio(path, type_, container)
                if stream is None
                else _probe_video(path, type_, container, stream, limits)
            )
        except av.FFmpegError as error:
            raise MediaRefused(
                f"{path.name} is damaged ({error.strerror}). Export or upload it again."
            ) from error


def _probe_audio(path: Path, type_: FileType, container: InputContainer) -> MediaInfo:
    track = heard_track(container)
    if track is None:
        raise MediaRefused(f"{path.name} holds neither picture nor sound. Choose another file.")
    codec = track.codec_context
    return MediaInfo(
        "audio", type_.label, codec.name if codec else "unknown", path.stat().st_size, 0, 0,
        fps=0.0, frames=0,
        duration_s=(container.duration or 0) / av.time_base, has_audio=True, rotation=0,
        notes=tuple(_tracks(container)),
    )  # fmt: skip


def _sound_s(path: Path, limits: Limits) -> float:
    """Seconds of sound, all of it decoded once: a header may promise what the file does not hold."""
    samples = read_sound(path, _PROBE_HZ, max_s=limits.max_sound_s)
    return check_heard(path.name, samples, _PROBE_HZ, min_s=limits.min_sound_s, max_s=limits.max_sound_s)


def _probe_video(
    path: Path, type_: FileType, container: InputContainer, stream: VideoStream, limits: Limits
) -> MediaInfo:
    _check_size(
        path, stream.codec_context.width, stream.codec_context.height, limits.max_video_pixels, limits
    )

    def check(pictures: int, seconds: float) -> None:
        if pictures > limits.max_frames or seconds > limits.max_duration_s:
            raise MediaRefused(
                f"{path.name} is longer than {limits.max_duration_s:.0f} s or {limits.max_frames} frames, "
                "the most that is accepted. Shorten it; footage is repeated as needed."
            )

    packets = scan(container, stream, check)
    _check_frames(path, packets, limits)
    check_complete(path, packets, container, stream)
    beginning = _decode_ends(path, packets, container, stream)
    first = beginning[0]
    a, b, c, d = display_matrix(first)
    width, height = shown_size(first, stream)
    uneven = np.ptp(np.diff(packets.times_s)) > 0.5 * packets.interval_s + packets.rounding_s
    own_alpha, woven = _own_alpha(path, stream, first), weavable(stream, beginning)
    read_as = {"standing last picture": packets.stands, "deinterlaced": woven}
    return MediaInfo(
        "video", type_.label, stream.codec_context.name, path.stat().st_size, width, height,
        fps=(len(packets.pts) - 1) / float(packets.times_s[-1]), frames=len(packets.pts),
        duration_s=packets.duration_s, has_audio=bool(container.streams.audio),
        rotation=_clockwise(a, b, c, d), variable_rate=bool(uneven), usual_fps=packets.usual_fps,
        own_alpha=own_alpha, notes=(*_noted(beginning, own_alpha, woven), *_tracks(container)),
        read_as=tuple(name for name, so in read_as.items() if so),
    )  # fmt: skip


def _noted(beginning: list[av.VideoFrame], own_alpha: bool | None, woven: bool) -> Iterator[str]:
    """What is worth telling of a clip."""
    if mapping := mapping_of(beginning[0]):
        yield f"{mapping} footage is shown in the colours and brightness of BT.709"
    if own_alpha:
        yield "the clip has transparent parts; over its own background they show what it holds there"
    elif own_alpha is False:
        yield "the clip has an alpha channel that cuts nothing out where it was looked at; it is not used"
    if woven:
        yield "the clip is interlaced; it is deinterlaced, a picture for each two fields"
    elif interlaced(beginning):
        yield "the clip is interlaced HEVC, of which each field is shown as a picture; deinterlace it before"


def _tracks(container: InputContainer) -> Iterator[str]:
    """Which of several sound tracks is heard."""
    tracks, track = container.streams.audio, heard_track(container)
    if track is not None and len(tracks) > 1:
        yield f"of its {len(tracks)} sound tracks number {tracks.index(track) + 1} is heard, where any is"


def _own_alpha(path: Path, stream: VideoStream, first: av.VideoFrame) -> bool | None:
    """Whether the alpha channel of a clip is a matte, by its first and some key pictures; None: it has none.

    One of them is enough, for a clip may fade in; so it is for every part of the clip.
    """
    apart = any(name.lower() == "alpha_mode" for name in stream.metadata)  # of VP8 and VP9
    if not (first.format.components[-1].is_alpha or apart):
        return None
    clip = Clip(path, "yuva420p")  # whose decoders keep the alpha
    try:
        return any(images.cuts_out(plane_of(clip[n], 3)) for n in clip.samples())
    finally:
        clip.close()


def shown_size(frame: av.VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height of a decoded picture once its pixels are square and it stands upright."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width = max(1, round(frame.width * (aspect if 0.1 < aspect < 10 else 1)))
    return (frame.height, width) if display_matrix(frame)[0] == 0 else (width, frame.height)


def _clockwise(a: int, b: int, c: int, d: int) -> int:
    return {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}.get((a, b, c, d), 0)


def _check_frames(path: Path, packets: PacketScan, limits: Limits) -> None:
    count = len(packets.pts)
    if count < limits.min_frames:
        raise MediaRefused(
            f"{path.name} has only {count} frame{'s' * (count != 1)}; {limits.min_frames} are needed. "
            "Upload a still portrait as PNG or JPEG instead."
        )
    span_s, tick_s = float(packets.times_s[-1]), packets.time_base  # stamps are rounded to ticks
    fps = (count - 1) / max(span_s, 1e-9)
    slowest, fastest = (count - 1) / (span_s + tick_s), (count - 1) / max(span_s - tick_s, 1e-9)
    if slowest > limits.max_fps or fastest < limits.min_fps:
        raise MediaRefused(
            f"{path.name} runs at {fps:.2f} frames per second; {limits.min_fps:g} to {limits.max_fps:g} are "
            "accepted. Convert it to 25 or 30."
        )


def _decode_ends(
    path: Path, packets: PacketScan, container: InputContainer, stream: VideoStream
) -> list[av.VideoFrame]:
    """Decode the first pictures and the tail: damage shows here, not after an hour of work."""
    container.seek(int(packets.pts[0]), stream=stream)
    beginning = list(islice(container.decode(stream), LOOKED_AT))
    container.seek(int(packets.pts[packets.keys[-1]]), stream=stream)
    tail = [f.is_corrupt for _, f in zip(range(_TAIL_FRAMES), container.decode(stream), strict=False)]
    if not beginning or not tail or any(tail):
        raise MediaRefused(
            f"{path.name} is damaged: its pictures cannot be decoded. Export or upload it again."
        )
    return beginning
