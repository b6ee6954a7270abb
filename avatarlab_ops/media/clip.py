"""Pictures of a video by number, forward and backward, in bounded memory.

Backward play re-decodes in runs: from the key picture to the wanted one, keeping the last pictures that fit
the cache, which then serve the steps back. A run of n pictures after one key with room for k costs about n/2k
decodings per picture; footage where that gets dear is copied once into a short-GOP file (see footage.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.container import PacketScan, open_input, scan, video_stream
from avatarlab_ops.media.deinterlace import LOOKED_AT, deinterlaced
from avatarlab_ops.media.sniff import sniff
from avatarlab_ops.media.tonemap import ToneMapper, mapping_of

Space = Literal[1, 5, 7, 9]  # swscale's number of a matrix, SWS_CS_*
Range = Literal[1, 2]  # swscale's number of a range: limited, full
LOOKS = 8  # key pictures, besides the first one, by which a whole clip is judged
CACHE_BYTES = 96 * 1024**2
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these leave the alpha out


class Clip:
    """Decoder of one video file. Pictures come as `pixel_format` of `size`, in the source's colours.

    High dynamic range and BT.2020 come as BT.709 of limited range where `pixel_format` is yuv420p. With
    "yuva420p" pictures keep their alpha, if they have any. With "luma" they stay as stored, for `luma_of` to
    take the exact samples. `woven`: the file is interlaced, and its pictures come deinterlaced.

    Not thread-safe: one reader, one thread at a time.
    """

    def __init__(
        self, path: Path, pixel_format: str, size: tuple[int, int] | None = None, *, woven: bool = False
    ) -> None:
        self.path, self.woven = path, woven
        self._container = open_input(path, sniff(path))
        stream = video_stream(self._container, path.name)
        if stream is None:
            raise MediaRefused(f"{path.name} holds no picture; a video is needed here. Choose another file.")
        self.stream = stream
        self.packets: PacketScan = scan(self._container, stream)
        if not len(self.packets.pts):
            raise MediaRefused(f"{path.name} holds no pictures. Export or upload it again.")
        self.format = pixel_format
        self.size = size or (stream.codec_context.width, stream.codec_context.height)
        self.capacity = max(4, CACHE_BYTES // _frame_bytes(pixel_format, *self.size))
        decoder = _WITH_ALPHA.get(stream.codec_context.name) if pixel_format == "yuva420p" else None
        self._decoder: Any = av.CodecContext.create(decoder, "r") if decoder else None
        self._cache: OrderedDict[int, av.VideoFrame] = OrderedDict()
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._at = -1  # number of the newest decoded picture; -1: decoder not positioned
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._mapper: ToneMapper | None = None

    def __len__(self) -> int:
        return len(self.packets.pts)

    def __getitem__(self, number: int) -> av.VideoFrame:
        """Return picture `number` in [0, len). Raises MediaRefused where the data cannot be decoded."""
        if number not in self._cache:
            try:
                self._reach(number)
            except av.FFmpegError as error:
                raise self._damaged(number) from error
        return self._cache[number]

    def beginning(self) -> list[av.VideoFrame]:
        """The first picture as stored, with its side data, and as many more as tell of interlacing."""
        self._container.seek(int(self.packets.pts[0]), stream=self.stream)
        self._at = -1
        frames: list[av.VideoFrame] = []
        with suppress(av.FFmpegError):  # of a later one: told when it is asked for
            for frame in islice(self._decoded(), LOOKED_AT):
                frames.append(frame)
        if not frames:
            raise self._damaged(0)
        return frames

    def samples(self) -> list[int]:
        """Numbers of a few pictures that are cheap to reach: the first, and key pictures."""
        keys = self.packets.keys[self.packets.keys > 0]
        return [0, *(int(key) for key in keys[:: -(-len(keys) // LOOKS) or 1])]

    def close(self) -> None:
        """Close the file and drop the cache."""
        self._cache.clear()
        self._frames = iter(())
        self._container.close()

    def _reach(self, number: int) -> None:
        key = self.key_before(number)
        if not (0 <= self._at < number and key <= self._at + 1):
            self._seek(key)
        newest: av.VideoFrame | None = None
        while self._at < number:
            frame = next(self._frames, None)
            if frame is None:
                break
            newest = self._keep(frame)
            if self._at > number and number not in self._cache and key > 0:
                key = self.key_before(key - 1)  # an open GOP: its leading pictures need the key before
                self._seek(key)
        if number not in self._cache:
            self._fill_hole(number, newest)

    def _fill_hole(self, number: int, newest: av.VideoFrame | None) -> None:
        """A picture that its packet announced but that never came: show its neighbour, as a player would."""
        near = next((self._cache[n] for n in range(number - 1, number - 4, -1) if n in self._cache), newest)
        if near is None:
            raise self._damaged(number)
        self._store(number, near)

    def _seek(self, key: int) -> None:
        start = self.key_before(key - 1) if self.woven and key else key
        self._container.seek(int(self.packets.pts[start]), stream=self.stream)
        self._frames = deinterlaced(self._decoded()) if self.woven else self._decoded()
        self._at = start - 1
        if start < key:  # without the one before it, this picture is another than in a run from there
            next(self._frames, None)
            self._at = start

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Pictures from where the file stands."""
        decoder = self._decoder
        if decoder is None:
            return self._container.decode(self.stream)
        decoder.flush_buffers()
        return (frame for packet in self._container.demux(self.stream) for frame in decoder.decode(packet))

    def _keep(self, frame: av.VideoFrame) -> av.VideoFrame:
        if frame.pts is None:
            self._at += 1
        else:
            self._at = max(0, int(np.searchsorted(self.packets.pts, frame.pts, "right")) - 1)
        width, height = self.size
        if self.format == "yuv420p" and (mapping := mapping_of(frame)):
            self._mapper = self._mapper or ToneMapper(frame, mapping, self.size)
            frame = self._mapper(frame)
        elif self.format != "luma" and (frame.format.name, frame.width, frame.height) != (
            self.format,
            width,
            height,
        ):
            space, range_ = colours_of(frame)
            scaler = "AREA" if width * 2 <= frame.width else "BICUBIC"
            frame = self._reformatter.reformat(
                frame, width, height, self.format, interpolation=scaler,
                src_colorspace=space, dst_colorspace=space, src_color_range=range_, dst_color_range=range_,
            )  # fmt: skip
        self._store(self._at, frame)
        return frame

    def _store(self, number: int, frame: av.VideoFrame) -> None:
        self._cache[number] = frame
        self._cache.move_to_end(number)
        while len(self._cache) > self.capacity:
            self._cache.popitem(last=False)

    def key_before(self, number: int) -> int:
        """The last picture, up to this one, from which it can be decoded."""
        keys = self.packets.keys
        return int(keys[max(0, int(np.searchsorted(keys, number, "right")) - 1)])

    def _damaged(self, number: int) -> MediaRefused:
        return MediaRefused(
            f"{self.path.name} is damaged: picture {number} of {len(self)} cannot be decoded. "
            "Export or upload it again."
        )


def colours_of(frame: av.VideoFrame) -> tuple[Space, Range]:
    """Matrix (swscale's number) and range that a Clip gives a picture; unmarked: BT.601 below 720 lines."""
    if mapping_of(frame):
        return 1, 1
    known: dict[int, Space] = {1: 1, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # by ITU-T H.273
    space = known.get(int(frame.colorspace), 1 if frame.height >= 720 else 5)
    full = int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")
    return space, 2 if full else 1


def luma_of(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the stored luma samples uint8 [h, w], no conversion of any kind."""
    return plane_of(frame, 0)


def plane_of(frame: av.VideoFrame, number: int) -> NDArray[np.uint8]:
    """The samples uint8 [h, w] of a plane of full size, as stored: 0 luma, 3 alpha."""
    return np.ascontiguousarray(rows_of(frame.planes[number])[: frame.height, : frame.width])


def rows_of(plane: Any) -> NDArray[np.uint8]:
    """The bytes of a plane uint8 [rows, bytes of a row with its padding], seen, not copied."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)


def _frame_bytes(pixel_format: str, width: int, height: int) -> int:
    return int(width * height * {"luma": 1.5, "yuv420p": 1.5, "yuva420p": 2.5}.get(pixel_format, 3.0))
