"""The painted square back into the footage: colour matched at the rim, laid on with a soft edge.

All sizes here are px of the network's square; `side / size` turns them into px of the footage.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import Alpha, Frame
from avatarlab_ops.engines.lipsync.diffdub.crops import NOSE_TIP, Points, corners

TRAINED_SIZE = 256  # px; the widths below are for a square of this size
SOFT = 5  # width of the box that the edge is blurred with, three times
REACH = 8  # alpha is 0 so far outside the outline, and within crops.keep_mask's 0
LIGHT = 24.0  # sigma of the colour match: slower changes are light, faster ones are the mouth
MOVED = 30.0  # 0..255: a difference so large is something that moved, not another light
FINE = 4  # the outline is drawn so many times as large

Real = NDArray[np.float32]


def soft_mask(points: Points, size: int) -> Real:
    """How much of the paint shows, float32 [size, size] in 0..1, of the 68 points in px of the square.

    It is 0 wherever the source is to be kept (crops.keep_mask) and on the rim of the square, moves with the
    points by fractions of a pixel, and is 1 some 6 px inside the outline.
    """
    fine = np.zeros((size * FINE, size * FINE), np.uint8)
    outline = np.round((corners(points, NOSE_TIP) + 0.5) * FINE - 0.5).astype(np.int32)
    cv2.fillPoly(fine, [outline], 255)
    mask = np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA), np.float32) / 255
    for _ in range(3):
        mask = np.asarray(cv2.blur(mask, (SOFT, SOFT), borderType=cv2.BORDER_CONSTANT), np.float32)
    return np.asarray(mask * _inner(size), np.float32)


@functools.cache
def _inner(size: int) -> Real:
    """0 on the rim of the square, 1 from REACH px on."""
    from_rim = np.minimum(np.arange(size), np.arange(size)[::-1]).astype(np.float32)
    ramp = np.minimum(from_rim / REACH, 1)
    return np.minimum(ramp[:, None], ramp)


def matched(painted: Real, source: Real, mask: Real) -> Real:
    """Painted [S, S, 3] in 0..255 in the light of the source, judged along the rim of `mask` [S, S]."""
    difference = source - painted
    rim = 4 * mask * (1 - mask)
    trust = rim / (1 + (difference.mean(2) / MOVED) ** 2)
    weight = _spread(trust, painted.shape[0])
    light = _spread(difference * trust[..., None], painted.shape[0]) / np.maximum(weight, 1e-6)[..., None]
    return np.asarray(painted + light, np.float32)


def _spread(values: Real, size: int) -> Real:
    """Blur over LIGHT, at a quarter of the size where that loses nothing."""
    sigma = LIGHT * size / TRAINED_SIZE
    small = cv2.resize(values, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / 4, 0.5), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def enlarged(rgb: Real, mask: Real, side: int) -> tuple[Frame, Alpha]:
    """Paint and mask of the square, as uint8 [side, side(, 3)]."""
    rgb, mask = (_resized(values, side) for values in (rgb, mask * 255))
    mask[[0, -1]] = mask[:, [0, -1]] = 0  # where shrinking moved it there
    return _bytes(rgb), _bytes(mask)


def _bytes(values: Real) -> NDArray[np.uint8]:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _resized(values: Real, side: int) -> Real:
    way = cv2.INTER_AREA if side < len(values) else cv2.INTER_CUBIC if values.ndim == 3 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (side, side), interpolation=way), np.float32)
