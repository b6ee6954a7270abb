"""Where the upper teeth hang in every frame of footage.

The face's frame is flat, so nodding and turning shift the mouth in it. The upper lip's rim shows by how
much; averaged over time, in each shot by itself, it keeps the head's part and drops what speech does.
"""

from __future__ import annotations

import numpy as np

from avatarlab_ops.engines.base import FaceTrack
from avatarlab_ops.engines.cuts import stretches
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import FaceFrame, Real

_RIM = 0  # landmark in the middle of the upper lip's outer rim
_SIGMA_S = 0.3


def hanging(track: FaceTrack) -> Real:
    """Steady place float32 [n, 2], in face coordinates, of the upper jaw, for frames that show the mouth."""
    place = np.array([FaceFrame.of(points).local(points[_RIM, :2]) for points in track.landmarks], np.float32)
    for start, end in stretches(track.present, track.cuts):
        place[start:end] = _smooth(place[start:end], _SIGMA_S * track.fps)
    return place


def _smooth(path: Real, sigma: float) -> Real:
    """A path [n, 2] averaged over `sigma` frames."""
    reach = max(round(3 * sigma), 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    axes = [np.convolve(padded[:, axis], kernel / kernel.sum(), mode="valid") for axis in (0, 1)]
    return np.stack(axes, axis=1).astype(np.float32)
