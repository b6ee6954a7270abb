"""Squares cut out of a frame the way the networks want to see them."""

from __future__ import annotations

import cv2
import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.tflite import Array


def mesh_side(landmarks: Array) -> float:
    """Longer edge in pixels of the bounding box of a mesh float32 [478, 3]."""
    return float(np.ptp(landmarks[:, :2], axis=0).max())


def cropped(frame: Frame, centre: Array, side: float, axis: Array, size: int) -> tuple[Array, Array]:
    """Square of edge `side` around `centre` whose rows run along `axis`, float32 [size, size, 3] in 0..1.

    Also returns the map float32 [2, 3] from a place in the crop to its place in the frame.
    """
    scale = max(side, 1.0) / size
    to_frame = np.empty((2, 3), np.float32)
    to_frame[:, :2] = rotation(axis) * scale
    to_frame[:, 2] = centre - to_frame[:, :2] @ np.full(2, size / 2 - 0.5, np.float32)
    picture = _sample(frame, to_frame, size, scale).astype(np.float32) / np.float32(255)
    return picture, to_frame


def rotation(axis: Array) -> Array:
    """Rotation float32 [2, 2] that carries (1, 0) to the direction of `axis`."""
    x, y = axis / max(float(np.hypot(*axis)), 1e-6)
    return np.array([[x, -y], [y, x]], np.float32)


def _sample(frame: Frame, to_frame: Array, size: int, scale: float) -> Frame:
    """Square crop; a face much larger than the crop is shrunk by area first, or its pixels would alias."""
    shrink = int(scale)
    if shrink >= 2:
        frame, to_frame = _shrunk(frame, to_frame, size, shrink)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(frame, to_frame, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def _shrunk(frame: Frame, to_frame: Array, size: int, shrink: int) -> tuple[Frame, Array]:
    """The part of the frame under the crop, `shrink` times smaller, and the crop's map into it."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float32)
    reach = corners @ to_frame[:, :2].T + to_frame[:, 2]
    limit = np.array([frame.shape[1], frame.shape[0]])
    low = np.clip(np.floor(reach.min(axis=0)).astype(int), 0, limit - 1)
    high = np.clip(np.ceil(reach.max(axis=0)).astype(int) + shrink, low + 1, limit)
    count = np.maximum((high - low) // shrink, 1)
    part = frame[low[1] : low[1] + count[1] * shrink, low[0] : low[0] + count[0] * shrink]
    small = cv2.resize(part, (int(count[0]), int(count[1])), interpolation=cv2.INTER_AREA)
    moved = to_frame.copy()
    moved[:, 2] -= low
    return np.asarray(small, np.uint8), _to_shrunk(moved, shrink)


def _to_shrunk(to_frame: Array, shrink: int) -> Array:
    """Pixel i of the small picture covers pixels i*shrink ... i*shrink + shrink - 1 of the large one."""
    small = to_frame / np.float32(shrink)
    small[:, 2] += 0.5 / shrink - 0.5
    return small
