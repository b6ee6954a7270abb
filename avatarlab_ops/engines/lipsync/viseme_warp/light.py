"""The light a face stands in: how bright its teeth would be, and the colour of its flesh."""

from __future__ import annotations

import cv2
import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import SAMPLES, FaceFrame, MouthShape, Real

SHOWN_GAP = 0.05  # a mouth opened wider than this (eye distances) may show teeth
_CHEEKS = np.array([[-0.34, 0.02], [0.34, 0.02], [-0.30, -0.05], [0.30, -0.05], [0.0, -0.12]], np.float32)
_IVORY = np.array([1.03, 0.985, 0.90])


def daylight(frame: Frame, face: FaceFrame) -> float:
    """Brightness 0..255 that clean teeth would have beside this face's cheeks."""
    return float(np.clip(_skin(frame, face) @ np.array([0.30, 0.59, 0.11]) * 0.92 + 26, 60, 205))


def tone(frame: Frame, face: FaceFrame, mouth: MouthShape) -> Real:
    """Colour teeth would have in this face's light, float32 [3]: ivory, hardly brighter than an open
    mouth shows."""
    brightness = daylight(frame, face)
    if mouth.gap > SHOWN_GAP:
        brightness = min(brightness, max(1.15 * _brightest(frame, face, mouth), 0.8 * brightness))
    skin = _skin(frame, face)
    tint = skin / max(float(skin.mean()), 1)
    return np.asarray(brightness * _IVORY * (0.8 + 0.2 * tint), np.float32)


def _brightest(frame: Frame, face: FaceFrame, mouth: MouthShape) -> float:
    """Brightness of the lightest parts between the lips, 0..255."""
    share = np.linspace(0.12, 0.88, 15)[:, None, None]
    inner = slice(SAMPLES // 5, -SAMPLES // 5)
    places = face.pixels(mouth.upper_inner[inner] * (1 - share) + mouth.lower_inner[inner] * share)
    at = np.asarray(places, np.float32)
    seen = cv2.remap(frame, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(np.percentile(np.asarray(seen, np.float32).mean(axis=2), 94))


def flesh(frame: Frame, face: FaceFrame, mouth: MouthShape) -> Real:
    """Median colour of the lower lip, float32 [3]: the flesh the inner mouth is tinted with."""
    middle = (mouth.lower_inner + 2 * mouth.lower_outer)[8:-8] / 3
    return np.asarray(np.median(_patches(frame, face.pixels(middle), 1.5), axis=0), np.float32)


def _skin(frame: Frame, face: FaceFrame) -> Real:
    return np.asarray(np.median(_patches(frame, face.pixels(_CHEEKS), face.scale * 0.03), axis=0), np.float32)


def _patches(frame: Frame, centres: Real, radius: float) -> Real:
    """Mean colours float32 [n, 3] around pixel centres [n, 2]."""
    height, width = frame.shape[:2]
    r = max(int(radius), 1)
    found = []
    for cx, cy in centres:
        x, y = int(np.clip(cx, r, width - 1 - r)), int(np.clip(cy, r, height - 1 - r))
        found.append(frame[y - r : y + r + 1, x - r : x + r + 1].reshape(-1, 3).mean(axis=0))
    return np.array(found, np.float32)
