"""Guided filter (He, Sun and Tang, ECCV 2010; fast form 2015): a coarse alpha takes on a picture's edges."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import Frame

Array = NDArray[np.float32]


def guided_upsample(coarse: Array, frame: Frame, *, short_side_px: int, radius: int, eps: float) -> Array:
    """Alpha float32 [H, W] in 0..1 from `coarse` [h, w] and RGB uint8 [H, W, 3] `frame`.

    Within each window alpha is taken as linear in colour. The windows are solved at `short_side_px` with a
    `radius` in pixels of that size, and only their coefficients are enlarged. `eps` is the colour variance
    (colours 0..1) below which the frame counts as flat.
    """
    height, width = frame.shape[:2]
    scale = min(1.0, short_side_px / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    guide = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    alpha = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)
    slope, offset = _solve(guide, np.asarray(alpha, np.float32), radius, eps)
    coefficients = np.concatenate([slope, offset[..., None]], axis=-1)
    red, green, blue, rest = cv2.split(cv2.resize(coefficients, (width, height)))
    fine = (red * frame[..., 0] + green * frame[..., 1] + blue * frame[..., 2]) / np.float32(255) + rest
    return np.asarray(np.clip(fine, 0, 1), np.float32)


def _solve(guide: Array, alpha: Array, radius: int, eps: float) -> tuple[Array, Array]:
    """Slope [h, w, 3] and offset [h, w] of alpha over colour, averaged over the windows around a pixel."""
    mean = _box(radius)
    mean_guide, mean_alpha = mean(guide), mean(alpha)
    covariance = mean(guide * alpha[..., None]) - mean_guide * mean_alpha[..., None]
    products = mean(np.einsum("hwi,hwj->hwij", guide, guide).reshape(*alpha.shape, 9)).reshape(
        *alpha.shape, 3, 3
    )
    variance = products - np.einsum("hwi,hwj->hwij", mean_guide, mean_guide)
    variance += np.float32(eps) * np.eye(3, dtype=np.float32)
    slope = np.linalg.solve(variance, covariance[..., None])[..., 0]
    offset = mean_alpha - np.einsum("hwi,hwi->hw", slope, mean_guide)
    return mean(slope), mean(offset)


def _box(radius: int) -> Callable[[Array], Array]:
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(picture: Array) -> Array:
        return np.asarray(cv2.blur(picture, window, borderType=cv2.BORDER_REFLECT), np.float32)

    return mean
