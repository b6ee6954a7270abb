"""Putting a matted foreground over another background without a halo of the old one.

Only pixels with partial alpha are mixed of both. For these the pure foreground is estimated as in Forte,
"Approximate Fast Foreground Colour Estimation" (ICIP 2021): local means F and B of sure foreground and
background, then F + a (I - a F - (1 - a) B).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.frames import Alpha, Frame
from avatarlab_ops.media.images import NEUTRAL

Floats = NDArray[np.float32]

_SHRINK = 8  # the means are smooth: an eighth of the resolution is enough
_RADIUS = 3  # of the local means, in shrunk pixels
# Alpha this close to the ends is noise of the matting network and would only widen the band.
_CLEAN = np.array([0 if v <= 4 else 255 if v >= 251 else v for v in range(256)], np.uint8)

_PREMULTIPLIED_NOISE = 24  # levels by which a lossy codec lifts a colour over its alpha
_PREMULTIPLIED_ERRORS = 0.02  # share of the pixels that are not opaque


@dataclass(frozen=True)
class Band:
    """The pixels of one matte that are part foreground, part background: m of them.

    index int64 [m] into the flattened picture; alpha float32 [m, 1] in (0, 1); foreground and background
    float32 [m, 3], the local means of the source; core uint8 [h, w], 255 where the foreground is opaque.
    """

    index: NDArray[np.int64]
    alpha: Floats
    foreground: Floats
    background: Floats
    core: Alpha
    spread: Floats  # [h/8, w/8, 3] foreground mean everywhere


def clean(alpha: Alpha) -> Alpha:
    """Set alpha within 4 of either end to that end."""
    return np.asarray(cv2.LUT(alpha, _CLEAN), np.uint8)


def over_neutral(frame: Frame, alpha: Alpha) -> Frame:
    """A frame [h, w, 3] with an alpha channel [h, w] of its own, laid over grey as a portrait's picture is.

    Its edge is a mixture then, which `find_band` takes it for. Colours that stand for the foreground alone
    (straight alpha) are weighed first; those that black is mixed into (premultiplied) never exceed their
    alpha, and are not.
    """
    index = np.flatnonzero(alpha < 255)
    colour = np.take(frame.reshape(-1, 3), index, axis=0).astype(np.float32)
    opacity = np.take(alpha.reshape(-1), index).astype(np.float32)
    exceeds = colour.max(axis=1, initial=0) > opacity + _PREMULTIPLIED_NOISE
    straight = len(index) > 0 and float(exceeds.mean()) > _PREMULTIPLIED_ERRORS
    weight = (opacity / 255)[:, None]
    mixed = colour * (weight if straight else np.float32(1)) + np.array(NEUTRAL, np.float32) * (1 - weight)
    out = frame.copy()
    out.reshape(-1, 3)[index] = (np.clip(mixed, 0, 255) + 0.5).astype(np.uint8)
    return out


def find_band(frame: Frame, alpha: Alpha) -> Band:
    """Estimate both sides of the edge from a frame [h, w, 3] and its cleaned alpha [h, w]."""
    height, width = alpha.shape
    low_w, low_h = max(1, width // _SHRINK), max(1, height // _SHRINK)
    small = np.asarray(cv2.resize(frame, (low_w, low_h), interpolation=cv2.INTER_AREA), np.float32)
    thin = cv2.resize(alpha, (low_w, low_h), interpolation=cv2.INTER_AREA)
    front, back = local_mean(small, thin >= 250, _RADIUS), local_mean(small, thin <= 5, _RADIUS)
    index = np.flatnonzero((alpha - np.uint8(1)) < 254)  # 0 wraps around to 255
    sides = _smoothly(np.concatenate([front, back], axis=2), index, (width, height))
    return Band(
        index, np.take(alpha.reshape(-1), index)[:, None].astype(np.float32) / np.float32(255),
        sides[:, :3], sides[:, 3:], np.asarray(cv2.inRange(alpha, 255, 255), np.uint8), front,
    )  # fmt: skip


def _smoothly(means: Floats, index: NDArray[np.int64], size: tuple[int, int]) -> Floats:
    """Means float32 [h/8, w/8, c] at single pixels of the picture, float32 [m, c], each between its four.

    As enlarging them bilinearly would give it; the nearest mean alone shows as steps.
    """
    low_h, low_w, channels = means.shape
    across, down = index % size[0], index // size[0]
    left, right, part_x = _between(across, size[0], low_w)
    above, below, part_y = _between(down, size[1], low_h)
    flat = means.reshape(-1, channels)
    found = np.zeros((len(index), channels), np.float32)
    for row, weight_y in ((above, 1 - part_y), (below, part_y)):
        for column, weight_x in ((left, 1 - part_x), (right, part_x)):
            found += np.take(flat, row * low_w + column, axis=0) * (weight_y * weight_x)[:, None]
    return found


def _between(
    at: NDArray[np.int64], length: int, low: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
    """The means before and after each pixel of a side of `length`, and how far it is between them."""
    place = np.clip((at + np.float32(0.5)) * np.float32(low / length) - np.float32(0.5), 0, low - 1)
    before = place.astype(np.int32)
    return before, np.minimum(before + 1, low - 1), np.asarray(place - before, np.float32)


def lay_over(frame: Frame, band: Band, plate: Frame) -> Frame:
    """Return the frame's foreground over `plate` (both uint8 [h, w, 3]); neither is written to."""
    out = plate.copy()
    cv2.copyTo(frame, band.core, out)
    under = np.take(plate.reshape(-1, 3), band.index, axis=0)
    mixed = under + band.alpha * (pure_foreground(frame, band) - under)
    out.reshape(-1, 3)[band.index] = (mixed + 0.5).astype(np.uint8)
    return out


def cut_out(frame: Frame, band: Band, alpha: Alpha) -> NDArray[np.uint8]:
    """RGBA uint8 [h, w, 4] with pure foreground colours, continued outwards for lossy codecs."""
    height, width = alpha.shape
    spread = cv2.resize(band.spread.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(frame, band.core, spread)
    spread.reshape(-1, 3)[band.index] = (pure_foreground(frame, band) + 0.5).astype(np.uint8)
    return np.asarray(cv2.merge([*cv2.split(spread), alpha]), np.uint8)


def pure_foreground(frame: Frame, band: Band) -> Floats:
    """Colour of the foreground alone at the band's pixels, float32 [m, 3] in [0, 255]."""
    seen, a = np.take(frame.reshape(-1, 3), band.index, axis=0), band.alpha
    rest = seen - a * band.foreground - (1 - a) * band.background
    return np.asarray(np.clip(band.foreground + a * rest, 0, 255), np.float32)


def local_mean(image: Floats, sure: NDArray[np.bool_], radius: int) -> Floats:
    """Mean of `image` float32 [h, w, 3] over the sure pixels near each pixel, or over wider rings."""
    weight = sure.astype(np.float32)
    weighted = image * weight[..., None]
    total, count = np.zeros_like(image), np.zeros_like(weight)
    for reach, trust in ((radius, 1.0), (4 * radius, 1e-3)):
        size = (2 * reach + 1, 2 * reach + 1)
        total += trust * cv2.boxFilter(weighted, -1, size, borderType=cv2.BORDER_REPLICATE)
        count += trust * cv2.boxFilter(weight, -1, size, borderType=cv2.BORDER_REPLICATE)
    everywhere = weighted.sum(axis=(0, 1)) / max(float(weight.sum()), 1.0)
    total += np.float32(1e-6) * everywhere
    return np.asarray(total / (count + np.float32(1e-6))[..., None], np.float32)
