"""Where source pixels land in the output: cover-crop, warp. Matrices: 2x3, source to output pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.frames import Alpha, Frame

Matrix = NDArray[np.float64]

_MARGIN_PX = 4  # around a rectangle that is drawn elsewhere: interpolation reaches beyond it
_HEADROOM = 0.42  # a face sits a little above the middle of a cropped picture


@dataclass(frozen=True)
class Rect:
    """Pixels [x, x + width) x [y, y + height)."""

    x: int
    y: int
    width: int
    height: int

    def clipped(self, width: int, height: int) -> Rect:
        """Return the part inside a width x height picture; may be empty (0 wide or high)."""
        x0, y0 = min(max(self.x, 0), width), min(max(self.y, 0), height)
        x1, y1 = min(max(self.x + self.width, 0), width), min(max(self.y + self.height, 0), height)
        return Rect(x0, y0, x1 - x0, y1 - y0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of an image array [h, w, ...]."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


def cover(
    source: tuple[int, int], target: tuple[int, int], centre: tuple[float, float] | None = None
) -> Matrix:
    """Scale and crop so that `source` fills `target` (both width, height), around `centre` in source pixels.

    Without a centre, the middle of the picture. Nothing outside the source ever shows.
    """
    (w, h), (width, height) = source, target
    scale = max(width / w, height / h)
    seen_w, seen_h = width / scale, height / scale
    cx, cy = centre or (w / 2, h / 2)
    left = min(max(cx - seen_w / 2, 0.0), w - seen_w)
    top = min(max(cy - seen_h * (_HEADROOM if centre else 0.5), 0.0), h - seen_h)
    # Pixel centres lie at +0.5: out + 0.5 = scale * (in + 0.5 - left)
    return np.array([[scale, 0, scale * (0.5 - left) - 0.5], [0, scale, scale * (0.5 - top) - 0.5]])


def covering_side(source: tuple[int, int], target: tuple[int, int]) -> int:
    """The shorter side, even, of the smallest `source` in pixels that `cover` need not enlarge.

    That of a source which is smaller anyway, where it is.

    >>> covering_side((4000, 3000), (1920, 1080)), covering_side((640, 360), (1920, 1080))
    (1440, 360)
    """
    short = min(source)
    needed = max(-(-short * out // given) for given, out in zip(source, target, strict=True))
    return max(2, min(short, needed + needed % 2))


def contain(source: tuple[int, int], target: tuple[int, int]) -> Matrix:
    """Scale so that the whole of `source` shows within `target`, in the middle of its lower edge."""
    (w, h), (width, height) = source, target
    scale = min(width / w, height / h)
    right, down = (width - scale * w) / 2, height - scale * h
    return np.array([[scale, 0, right + (scale - 1) / 2], [0, scale, down + (scale - 1) / 2]])


def open_sides(
    source: tuple[int, int], target: tuple[int, int], matrix: Matrix
) -> tuple[slice, slice] | None:
    """The part of the source that may show: without those sides that lie within the target picture.

    None where the source covers the target, so that nothing beyond its sides is ever seen.
    """
    (sx, _, tx), (_, sy, ty) = matrix
    rim = 1 + int(1 / min(sx, sy))  # a reduction averages so many pixels into the outermost
    found = []
    for length, limit, scale, shift in ((source[1], target[1], sy, ty), (source[0], target[0], sx, tx)):
        low, high = shift - (scale - 1) / 2, shift - (scale - 1) / 2 + scale * length
        found.append(slice(rim if low > 0.5 else 0, length - rim if high < limit - 0.5 else length))
    whole = found[0] == slice(0, source[1]) and found[1] == slice(0, source[0])
    return None if whole else (found[0], found[1])


def after(second: Matrix, first: NDArray[np.floating]) -> Matrix:
    """Return the matrix that applies `first`, then `second`."""
    bottom = [[0.0, 0.0, 1.0]]
    product = np.vstack([second, bottom]) @ np.vstack([first, bottom])
    return np.asarray(product[:2], np.float64)


def is_identity(matrix: NDArray[np.floating]) -> bool:
    """Tell whether a matrix moves no pixel by more than a thousandth, in pictures up to 4000 pixels."""
    return bool(np.allclose(matrix[:, :2], np.eye(2), atol=2.5e-7) and np.abs(matrix[:, 2]).max() < 1e-3)


def warp(image: NDArray[np.uint8], matrix: Matrix, out: Rect) -> NDArray[np.uint8]:
    """Move `image` by `matrix` and return the part `out` of the output picture.

    Edge pixels continue outwards. Strong reductions are averaged first. What is returned is the caller's.
    """
    if is_identity(matrix) and out == out.clipped(image.shape[1], image.shape[0]):
        return np.array(image[out.slices])
    if image.ndim == 3 and image.shape[2] == 3:  # OpenCV moves four channels in a third of the time of three
        moved = _moved(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA), np.uint8), matrix, out)
        return np.asarray(cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB), np.uint8)
    return _moved(image, matrix, out)


def warp_keyed(frame: Frame, alpha: Alpha, matrix: Matrix, out: Rect) -> tuple[Frame, Alpha]:
    """Move a frame and its matte together, for the price of one."""
    if is_identity(matrix):
        return warp(frame, matrix, out), warp(alpha, matrix, out)
    both = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2RGBA), np.uint8)
    cv2.insertChannel(alpha, both, 3)
    moved = _moved(both, matrix, out)
    rgb = cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)
    return np.asarray(rgb, np.uint8), np.asarray(cv2.extractChannel(moved, 3), np.uint8)


def _moved(image: NDArray[np.uint8], matrix: Matrix, out: Rect) -> NDArray[np.uint8]:
    shrink = int(1 / max(float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))), 1e-3))
    if shrink > 1:
        image, matrix = _shrunk(image, matrix, shrink)
    shifted = matrix - np.array([[0, 0, out.x], [0, 0, out.y]])
    size = (out.width, out.height)
    moved = cv2.warpAffine(image, shifted, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _shrunk(image: NDArray[np.uint8], matrix: Matrix, factor: int) -> tuple[NDArray[np.uint8], Matrix]:
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA
    )
    sx, sy = width / small.shape[1], height / small.shape[0]
    back = np.array([[sx, 0, sx / 2 - 0.5], [0, sy, sy / 2 - 0.5]])  # small to full pixels
    return np.asarray(small, np.uint8), after(matrix, back)


def bounds(rect: Rect, matrix: Matrix) -> Rect:
    """Return the upright output rectangle that a source rectangle reaches, grown by `_MARGIN_PX`."""
    x, y, w, h = rect.x, rect.y, rect.width, rect.height
    corners = np.array([[x, y, 1], [x + w, y, 1], [x, y + h, 1], [x + w, y + h, 1]]) @ matrix.T
    low = np.floor(corners.min(axis=0)).astype(int) - _MARGIN_PX
    high = np.ceil(corners.max(axis=0)).astype(int) + _MARGIN_PX
    return Rect(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
