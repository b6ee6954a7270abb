"""Footage as engines see it: upright RGB frames at a constant rate, by index, in bounded memory."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

import av
import cv2
import numpy as np

from avatarlab_ops.frames import Alpha, Frame
from avatarlab_ops.media import images
from avatarlab_ops.media.clip import Clip, colours_of, plane_of
from avatarlab_ops.media.container import display_matrix
from avatarlab_ops.media.deinterlace import weavable
from avatarlab_ops.media.handed import Handed
from avatarlab_ops.media.probe import shown_size
from avatarlab_ops.media.shown import Shown, turned
from avatarlab_ops.media.sizes import even, fitted
from avatarlab_ops.media.sniff import sniff

Part = tuple[float, float | None]  # seconds of a video: from, until; None: its end
WHOLE: Part = (0.0, None)
_DEAR = 8  # a GOP longer than so many caches is copied once into a short-GOP file


class Footage(ABC):
    """A FrameSource: `len()`, `[i]` gives RGB uint8 [height, width, 3]; i in [0, len).

    Sequential and reversed access are cheap. Frames may be kept but not written into. One thread at a time.
    """

    width: int
    height: int
    fps: float
    still: bool
    notes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Frame: ...

    def iter(self) -> Iterator[Frame]:
        """Stream all frames forward."""
        for index in range(len(self)):
            yield self[index]

    def __iter__(self) -> Iterator[Frame]:
        return self.iter()

    def close(self) -> None:  # noqa: B027  (a still image holds nothing open)
        """Release files and memory."""

    def __enter__(self) -> Footage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_footage(
    path: Path, *, fps: float, max_short_side_px: int, part: Part = WHOLE, scratch: BinaryIO | None = None,
    step: Callable[[], None] = lambda: None, forward: bool = False,
) -> Footage:  # fmt: skip
    """Open a probed image or video: rotated, square pixels, constant `fps`, scaled down only, even sizes.

    Of a video, the `part` from one second to another (None: to its end); at least one frame.
    Footage whose key pictures lie far apart is copied once, as far as it is asked for, into `scratch` or a
    temporary file, with a `step` before each picture; not what is only read `forward`, again and again.
    Raises MediaRefused for anything `probe` would not have passed.
    """
    type_ = sniff(path)
    if type_.kind == "image":
        rgb, notes = images.load(path, type_.demuxer, max_short_side_px=max_short_side_px)
        return StillFootage(rgb, fps, notes)
    return ClipFootage(path, fps, max_short_side_px, part, scratch, step=step, forward=forward)


def open_matte(path: Path, *, fps: float, max_short_side_px: int, part: Part = WHOLE) -> Footage | None:
    """The opacity of what `open_footage` gives, as grey pictures.

    None for a picture that cuts nothing out, and for a clip without an alpha channel; whether a clip's
    cuts something out `probe` says.
    """
    type_ = sniff(path)
    if type_.kind == "image":
        alpha = images.load_alpha(path, type_.demuxer, max_short_side_px=max_short_side_px)
        return None if alpha is None else StillFootage(_grey(alpha), fps)
    clip = ClipFootage(path, fps, max_short_side_px, part, alpha=True)
    if clip.has_alpha:
        return clip
    clip.close()
    return None


class StillFootage(Footage):
    """One picture."""

    still = True

    def __init__(self, rgb: Frame, fps: float, notes: tuple[str, ...] = ()) -> None:
        height, width = (even(side) for side in rgb.shape[:2])
        if (height, width) != rgb.shape[:2]:
            rgb = np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        self._rgb, self.width, self.height, self.fps, self.notes = rgb, width, height, fps, notes

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Frame:
        if index != 0:
            raise IndexError(f"frame {index} of a still image")
        return self._rgb


class ClipFootage(Footage):
    """A video, resampled in time: frame i shows what the source shows at i / fps seconds."""

    still = False

    def __init__(
        self, path: Path, fps: float, max_short_side_px: int, part: Part = WHOLE,
        scratch: BinaryIO | None = None, *, step: Callable[[], None] = lambda: None, alpha: bool = False,
        forward: bool = False,
    ) -> None:  # fmt: skip
        format_ = "yuva420p" if alpha else "yuv420p"
        probe_clip = Clip(path, format_)
        beginning = probe_clip.beginning()
        first = beginning[0]
        shown, woven = shown_size(first, probe_clip.stream), weavable(probe_clip.stream, beginning)
        probe_clip.close()  # and with it the memory of its stream
        self.shown = Shown(*colours_of(first), display_matrix(first))
        self.has_alpha = alpha and first.format.components[-1].is_alpha
        self.fps = fps
        self.width, self.height = fitted(shown, max_short_side_px)
        size = self.shown.stored(self.width, self.height)
        self._clip = Clip(path, format_, size, woven=woven)
        numbers = frame_numbers(self._clip.packets.times_s, self._clip.packets.duration_s, fps)
        begin = min(round(part[0] * fps), len(numbers) - 1)
        self._numbers = numbers[begin : None if part[1] is None else max(round(part[1] * fps), begin + 1)]
        self._scratch = scratch
        if not (alpha or forward) and self._clip.packets.longest_gop > _DEAR * self._clip.capacity:
            self._shorten_gops(step)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Frame:
        picture = self.stored(index)
        return (
            turned(_grey(plane_of(picture, 3)), self.shown.turn)
            if self.has_alpha
            else self.shown.rgb(picture)
        )

    def stored(self, index: int) -> av.VideoFrame:
        """What the file holds for a picture: scaled, in its own colours, not turned."""
        if not 0 <= index < len(self._numbers):
            raise IndexError(f"frame {index} of {len(self._numbers)}")
        return self._clip[int(self._numbers[index])]

    def close(self) -> None:
        """Release the decoder and the scratch copy."""
        self._clip.close()
        if self._scratch:
            self._scratch.close()

    def _shorten_gops(self, step: Callable[[], None]) -> None:
        copy = self._scratch = self._scratch or cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        first, last = int(self._numbers.min()), int(self._numbers.max())
        pictures = _stepped(self._clip, first, last, step)
        try:
            write_short_gop(
                copy, pictures, self._clip.size, gop=max(4, self._clip.capacity // 2), shown=self.shown
            )
            self._numbers = self._numbers - first
            self._clip.close()
            self._clip = Clip(Handed.of("short-gop.mkv", copy.fileno()), "yuv420p")
        except BaseException:
            self.close()
            raise


def _stepped(clip: Clip, first: int, last: int, step: Callable[[], None]) -> Iterator[av.VideoFrame]:
    """Pictures from one number to another, with a step before each that must be decoded for them."""
    for number in range(clip.key_before(first), last + 1):
        step()
        picture = clip[number]
        if number >= first:
            yield picture


def write_short_gop(
    file: BinaryIO, pictures: Iterable[av.VideoFrame], size: tuple[int, int], *, gop: int, shown: Shown
) -> None:
    """Write pictures of a width and height near-losslessly with a key picture every `gop` of them."""
    options = {"preset": "ultrafast", "crf": "8", "bf": "0", "threads": "4"}  # video.py says why four
    with av.open(file, "w", format="matroska") as output:
        stream = output.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height = size
        stream.pix_fmt, stream.gop_size = "yuv420p", gop
        context = stream.codec_context
        context.colorspace, context.color_range = {1: 1, 5: 6, 7: 7, 9: 9}[shown.space], shown.range_
        for number, frame in enumerate(pictures):
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, 25), 0
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    file.flush()


def frame_numbers(times_s: np.ndarray, duration_s: float, fps: float) -> np.ndarray:
    """Source picture shown at each output frame, int64 [round(duration_s * fps), at least 1].

    A quarter of a frame of grace keeps pictures whose stamps were rounded (Matroska: to a millisecond).

    >>> frame_numbers(np.array([0.0, 0.04, 0.12]), 0.16, 25.0).tolist()
    [0, 1, 1, 2]
    """
    shown_at = np.arange(max(1, round(duration_s * fps))) / fps + 0.25 / fps
    return np.clip(np.searchsorted(times_s, shown_at, "right") - 1, 0, len(times_s) - 1)


def _grey(plane: Alpha) -> Frame:
    return np.repeat(plane[..., None], 3, axis=2)
