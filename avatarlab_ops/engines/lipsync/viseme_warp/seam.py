"""Finding the true lip line: where a closed mouth is darkest, near where the landmarks put it."""

from __future__ import annotations

import cv2
import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import FaceFrame, MouthShape, Real

CLOSED_GAP = 0.022  # eye distances; below this the source's lips touch
_REACH = 0.022  # how far the line may lie from the landmarks, eye distances
_STEPS = 23


def refine(frame: Frame, face: FaceFrame, mouth: MouthShape) -> MouthShape:
    """The mouth with both inner contours on the dark line between touching lips; an open mouth as it is."""
    if mouth.gap > CLOSED_GAP:
        return mouth
    line = (mouth.upper_inner + mouth.lower_inner) / 2
    offsets = np.linspace(-_REACH, _REACH, _STEPS, dtype=np.float32)
    shifted = line[:, None] + np.stack([np.zeros_like(offsets), offsets], axis=1)
    brightness = _sample(frame, face.pixels(shifted))
    spread = float(np.ptp(brightness, axis=1).mean()) + 1e-3
    cost = brightness / spread + 0.6 * (offsets / _REACH) ** 2
    seam = line.copy()
    seam[:, 1] += _soften(offsets[_cheapest(cost)])
    return MouthShape(mouth.upper_outer, seam, seam.copy(), mouth.lower_outer)


def _sample(frame: Frame, at: Real) -> Real:
    """Brightness float32 at pixels float32 [a, b, 2], averaged along the lips against speckle."""
    grey = cv2.remap(frame, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mean = np.asarray(grey, np.float32).mean(axis=2)
    return np.asarray(cv2.GaussianBlur(mean, (3, 3), 0.8), np.float32)


def _cheapest(cost: Real) -> list[int]:
    """Column of the cheapest connected path through cost [rows, columns], one column step a row."""
    total, back = cost.copy(), np.zeros(cost.shape, int)
    columns = np.arange(cost.shape[1])
    for row in range(1, len(cost)):
        steps = np.stack([np.roll(total[row - 1], k) for k in (1, 0, -1)])
        steps[0, 0] = steps[2, -1] = np.inf
        choice = steps.argmin(axis=0)
        total[row] += steps[choice, columns]
        back[row] = columns + choice - 1
    path = [int(total[-1].argmin())]
    for row in range(len(cost) - 1, 0, -1):
        path.append(int(back[row, path[-1]]))
    return path[::-1]


def _soften(values: Real) -> Real:
    padded = np.pad(values, 2, mode="edge")
    return np.asarray(np.convolve(padded, np.array([1, 3, 4, 3, 1]) / 12, mode="valid"), np.float32)
