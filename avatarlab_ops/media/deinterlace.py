"""Interlaced footage as whole pictures, one for each two fields: moving edges show no combs.

Each picture follows from itself and its two neighbours (bwdif); pictures that are not marked pass unchanged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import groupby, islice

import av
from av.video.stream import VideoStream

LOOKED_AT = 4  # pictures at the beginning of a clip, of which one is marked where it is interlaced
_TICK = Fraction(1, 1000)


def interlaced(pictures: Iterable[av.VideoFrame]) -> bool:
    """Whether the first of a clip's decoded pictures are marked as interlaced."""
    return any(picture.interlaced_frame for picture in islice(pictures, LOOKED_AT))


def weavable(stream: VideoStream, pictures: Iterable[av.VideoFrame]) -> bool:
    """Whether they are, and hold two fields each: FFmpeg gives each field of HEVC as a picture."""
    return stream.codec_context.name != "hevc" and interlaced(pictures)


def deinterlaced(pictures: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Decoded pictures, which follow each other, as whole ones; stamps stay, and so do numbers."""
    for _, alike in groupby(pictures, lambda one: (one.width, one.height, one.format.name)):
        yield from _woven(alike)


def _woven(pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Pictures of one size and format as whole ones.

    The first has its next one for the one before, too: bwdif leaves combs where it knows nothing before.
    """
    first = list(islice(pictures, 2))
    if len(first) < 2:
        yield from first
        return
    weaver = _Weaver(first[0])
    weaver.push(first[1])
    for picture in first:
        weaver.push(picture)
    next(weaver.ready(), None)
    for picture in pictures:
        yield from weaver.ready()
        weaver.push(picture)
    weaver.push(None)
    yield from weaver.ready()


class _Weaver:
    """The filter, and the stamps of what is within it."""

    def __init__(self, picture: av.VideoFrame) -> None:
        graph = av.filter.Graph()
        self._entry = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=_TICK
        )
        weave = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        graph.link_nodes(self._entry, weave, graph.add("buffersink")).configure()
        self._graph, self._count = graph, 0
        self._stamps: deque[tuple[int | None, Fraction | None]] = deque()

    def push(self, picture: av.VideoFrame | None) -> None:
        """The next picture; None: there is none."""
        if picture is None:
            self._entry.push(None)
            return
        stamp = picture.pts, picture.time_base
        self._stamps.append(stamp)
        picture.pts, picture.time_base = self._count, _TICK  # whatever the file's clock is
        self._count += 1
        self._entry.push(picture)
        picture.pts, picture.time_base = stamp

    def ready(self) -> Iterator[av.VideoFrame]:
        """What is finished, one after the other."""
        while True:
            try:
                picture = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            picture.pts, picture.time_base = self._stamps.popleft()
            yield picture
