"""Guided filter (He, Sun and Tang, ECCV 2010; fast form 2015): a coarse alpha takes on a picture's edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import Frame

Array = NDArray[np.float32]


def guided_upsample(coarse: Array, frame: Frame, *, short_side_px: int, radius: int, eps: float) -> Array:
    """Alpha float32 [H, W] in 0..1 from `coarse` [h, w] and RGB uint8 [H, W, 3] `frame`.

    Within each window alpha is taken as linear in brightness (0..1). The windows are solved at
    `short_side_px` with a `radius` in pixels of that size, and only their coefficients are enlarged. `eps` is
    the variance of brightness below which the frame counts as flat.
    """
    height, width = frame.shape[:2]
    scale = min(1.0, short_side_px / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    bright = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
    guide = np.asarray(cv2.resize(bright, size, interpolation=cv2.INTER_AREA), np.float32)
    slope, offset = _solve(guide, np.asarray(cv2.resize(coarse, size), np.float32), radius, eps)
    fine = cv2.resize(slope, (width, height)) * bright + cv2.resize(offset, (width, height))
    return np.asarray(np.clip(fine, 0, 1), np.float32)


def _solve(guide: Array, alpha: Array, radius: int, eps: float) -> tuple[Array, Array]:
    """Slope and offset [h, w] of alpha over brightness, averaged over the windows around a pixel."""

    def mean(picture: Array) -> Array:
        return np.asarray(cv2.blur(picture, (2 * radius + 1, 2 * radius + 1)), np.float32)

    mean_guide, mean_alpha = mean(guide), mean(alpha)
    covariance = mean(guide * alpha) - mean_guide * mean_alpha
    variance = mean(guide * guide) - mean_guide * mean_guide
    slope = np.asarray(covariance / (variance + np.float32(eps)), np.float32)
    return mean(slope), mean(np.asarray(mean_alpha - slope * mean_guide, np.float32))
