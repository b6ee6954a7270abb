"""Where the network looks in every frame of the footage: a square around the face, always of one size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import FaceTrack, Frame
from avatarlab_ops.engines.lipsync.diffdub.crops import square_crop
from avatarlab_ops.engines.lipsync.diffdub.landmarks import to_68

RESTING = 0.08  # of the side: a face that stays so near to its median place gets one square, as in training
SETTLE_S = 0.4  # the square of a face that moves follows it as slowly as this
JUMP = 0.25  # of the side, from one frame to the next: a cut

Real = NDArray[np.float32]


@dataclass(frozen=True)
class Framing:
    """Squares of `side` px with top-left corners int [n, 2] (x, y), and the 68 points float32 [n, 68, 2].

    Points are in px of the footage.
    """

    side: int
    corners: NDArray[np.int64]
    points: Real

    @classmethod
    def of(cls, track: FaceTrack) -> Framing:
        """Squares that hold the face of every frame and stay inside the picture."""
        points = to_68(track.landmarks)
        boxes = np.concatenate([points.min(1), points.max(1)], 1)
        left, top, side = square_crop(boxes, track.width, track.height)
        corners = np.tile(np.array([left, top]), (len(points), 1))
        away = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.median((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0)
        if np.abs(away).max() > RESTING * side:
            middle = _followed((boxes[:, :2] + boxes[:, 2:]) / 2, SETTLE_S * track.fps, JUMP * side)
            limit = np.array([track.width, track.height]) - side
            corners = np.clip(np.round(middle - side / 2), 0, limit).astype(np.int64)
        return cls(side, corners, points)

    def square(self, frame: Frame, index: int, size: int) -> Frame:
        """What the network sees of a frame, uint8 [size, size, 3]."""
        x, y = self.corners[index]
        part = frame[y : y + self.side, x : x + self.side]
        way = cv2.INTER_AREA if self.side > size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, (size, size), interpolation=way), np.uint8)

    def seen(self, index: int, size: int) -> Real:
        """The 68 points in px of that square, float32 [68, 2]."""
        middle = (self.points[index] - self.corners[index] + 0.5) * (size / self.side) - 0.5
        return np.asarray(middle, np.float32)


def _followed(path: NDArray[np.floating], sigma: float, jump: float) -> NDArray[np.floating]:
    """A path [n, 2] smoothed over `sigma` frames, each stretch between jumps by itself."""
    cuts = np.flatnonzero(np.abs(np.diff(path, axis=0)).max(1) > jump) + 1
    return np.concatenate([_smoothed(part, sigma) for part in np.split(path, cuts)])


def _smoothed(path: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    reach = max(1, round(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = [np.convolve(padded[:, axis], kernel / kernel.sum(), mode="valid") for axis in (0, 1)]
    return np.stack(smooth, axis=1)
