"""Where the upper teeth hang in every frame of footage.

The face's frame is flat, so nodding and turning shift the mouth in it. The upper lip's rim shows by how
much; averaged over time it keeps the head's part and drops what speech does.
"""

from __future__ import annotations

import numpy as np

from avatarlab_ops.engines.lipsync.viseme_warp.geometry import FaceFrame, Real

_RIM = 0  # landmark in the middle of the upper lip's outer rim
_SIGMA_S = 0.3


def hanging(landmarks: Real, fps: float) -> Real:
    """Steady place float32 [n, 2], in face coordinates, of the upper jaw; landmarks are [n, 478, >=2]."""
    rim = np.array([FaceFrame.of(points).local(points[_RIM, :2]) for points in landmarks])
    reach = max(round(3 * _SIGMA_S * fps), 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (_SIGMA_S * fps)) ** 2)
    padded = np.pad(rim, ((reach, reach), (0, 0)), mode="edge")
    smooth = [np.convolve(padded[:, axis], kernel / kernel.sum(), mode="valid") for axis in (0, 1)]
    return np.stack(smooth, axis=1).astype(np.float32)
