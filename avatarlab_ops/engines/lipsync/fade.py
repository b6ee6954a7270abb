"""Patches come and go softly around a face that was lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAMES = 4  # that a patch takes to come or go


def fade(present: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Strength 0..1 of each output frame's patch: 0 without a face, rising over FRAMES beside it."""
    strength = np.where(present, np.float32(FRAMES), np.float32(0))
    for step in (1, -1):
        run = float(FRAMES)
        for i in range(len(present))[::step]:
            run = min(run + 1, FRAMES) if present[i] else 0.0
            strength[i] = min(strength[i], run)
    return np.asarray(strength / FRAMES, np.float32)
