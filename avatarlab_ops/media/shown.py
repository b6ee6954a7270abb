"""How the stored pictures of a clip are shown: their colours and which way is up."""

from __future__ import annotations

from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.frames import Frame
from avatarlab_ops.media.clip import Range, Space, rows_of
from avatarlab_ops.media.container import Turn

FULL = 2  # swscale's number of the range 0 to 255


@dataclass(frozen=True)
class Shown:
    """swscale's numbers of a clip's matrix and range, and the signs of its display matrix."""

    space: Space
    range_: Range
    turn: Turn

    def rgb(self, picture: av.VideoFrame) -> Frame:
        """A stored picture, upright, RGB uint8 [height, width, 3]."""
        rgb = picture.reformat(
            format="rgb24", src_colorspace=self.space, src_color_range=self.range_, dst_color_range=FULL
        )
        rows = rows_of(rgb.planes[0])[:, : rgb.width * 3]
        return turned(rows.reshape(rgb.height, rgb.width, 3), self.turn)

    def stored(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what is stored, of a picture shown in these."""
        return (width, height) if self.turn[0] else (height, width)


def turned(rgb: Frame, turn: Turn) -> Frame:
    """Stand a stored picture [h, w, 3] upright by the signs of its display matrix."""
    a, b, c, d = turn
    if (a, b, c, d) == (1, 0, 0, 1):
        return np.ascontiguousarray(rgb)
    if a == 0:
        rgb, a, d = np.asarray(cv2.transpose(rgb), np.uint8), c, b
    if a < 0 or d < 0:
        rgb = np.asarray(cv2.flip(rgb, -1 if a < 0 and d < 0 else (1 if a < 0 else 0)), np.uint8)
    return np.ascontiguousarray(rgb)


def yuv420p_bytes(width: int, height: int) -> int:
    """Size of a picture of even sides whose three planes lie one after the other."""
    return width * height * 3 // 2


def pack(picture: av.VideoFrame, place: NDArray[np.uint8]) -> None:
    """Lay the planes of a yuv420p picture one after the other into bytes."""
    begin = 0
    for plane in picture.planes:
        size = plane.width * plane.height
        into = place[begin : begin + size].reshape(plane.height, plane.width)
        into[:] = rows_of(plane)[: plane.height, : plane.width]
        begin += size


def unpack(place: NDArray[np.uint8], width: int, height: int) -> av.VideoFrame:
    """The yuv420p picture that lies in these bytes, seen, not copied."""
    return av.VideoFrame.from_numpy_buffer(place.reshape(height * 3 // 2, width), "yuv420p")
