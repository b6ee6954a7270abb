"""Teeth: the person's own where the source shows them, else a drawn row; upper teeth belong to the skull.

A row is a picture in face coordinates (`RES` pixels an eye distance) and its coverage.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.lipsync.viseme_warp import light
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import (
    Box,
    FaceFrame,
    MouthShape,
    Real,
    height_at,
    smoothstep,
)

RES = 420  # picture pixels an eye distance
_HALF_W, _ABOVE, _BELOW = 0.36, 0.26, 0.10  # extent of the picture around its anchor, eye distances
_BEND = 0.75  # of the lip line's curve that a row of teeth shares
# Widths from the midline outwards as seen from the front (average adult teeth over 90 mm between the eyes).
_UPPER_WIDTHS = (0.092, 0.070, 0.064, 0.048, 0.038, 0.028)
_UPPER_RISE = (0.000, 0.006, 0.001, 0.005, 0.008, 0.012)  # incisal edge above that of the middle teeth
_LOWER_WIDTHS = (0.058, 0.060, 0.062, 0.050, 0.040, 0.030)


@dataclass(frozen=True)
class Row:
    """A row of teeth: rgb float32 [h, w, 3] 0..255, cover float32 [h, w] 0..1, at a face place."""

    rgb: Real
    cover: Real
    anchor: tuple[float, float]
    real: bool = False  # cut from the source, so already as soft as the camera made it
    _soft: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def moved(self, by: Real) -> Row:
        """The row anchored elsewhere."""
        return replace(self, anchor=(self.anchor[0] + float(by[0]), self.anchor[1] + float(by[1])))

    def onto(self, area: Box, face: FaceFrame, move: Real) -> tuple[Real, Real]:
        """Picture [h, w, 3] and coverage [h, w] in the pixels of `area`, moved by `move` [2]."""
        unit = np.array(
            [
                [1 / RES, 0, self.anchor[0] + move[0] - _HALF_W],
                [0, 1 / RES, self.anchor[1] + move[1] - _ABOVE],
            ]
        )
        turn = face.turn.astype(np.float64) * face.scale
        matrix = np.empty((2, 3))
        matrix[:, :2] = turn @ unit[:, :2]
        matrix[:, 2] = turn @ unit[:, 2] + face.origin - (area.x, area.y)
        out = cv2.warpAffine(
            self._picture(face.scale), matrix, (area.width, area.height), flags=cv2.INTER_AREA
        )
        return np.asarray(out[..., :3], np.float32), np.asarray(out[..., 3] / 255, np.float32)

    def _picture(self, scale: float) -> Real:
        """Colours and coverage [h, w, 4] softened for a face of `scale` pixels, or thin gaps would alias."""
        blur = 0.0 if self.real else 0.4 * RES / scale
        if self._soft.get("blur") != blur:
            stacked = np.dstack([self.rgb, self.cover * 255]).astype(np.float32)
            self._soft.update(
                blur=blur, picture=cv2.GaussianBlur(stacked, (0, 0), blur) if blur > 0.8 else stacked
            )
        return np.asarray(self._soft["picture"], np.float32)


def _canvas() -> tuple[Real, Real]:
    xs = np.arange(round(2 * _HALF_W * RES), dtype=np.float32) / RES - _HALF_W
    ys = np.arange(round((_ABOVE + _BELOW) * RES), dtype=np.float32) / RES - _ABOVE
    x, y = np.meshgrid(xs, ys)
    return x, y


def drawn(tone: Real, anchor: tuple[float, float], seam: Real, *, upper: bool) -> Row:
    """A plain natural row in the given tone float32 [3]; the anchor is the middle of the biting edge.

    The row follows the lip line `seam`, float32 [n, 2] in face coordinates, as rows of teeth do."""
    x, y = _canvas()
    y = y - _BEND * (height_at(seam, x + anchor[0]) - height_at(seam, np.full_like(x, anchor[0])))
    y = y if upper else -y  # in both rows y now falls from the gum to the edge at 0
    widths = _UPPER_WIDTHS if upper else _LOWER_WIDTHS
    rises = _UPPER_RISE if upper else (0.0, 0.002, 0.004, 0.008, 0.012, 0.018)
    cover, shade = np.zeros_like(x), np.zeros_like(x)
    start = 0.0
    for width, rise in zip(widths, rises, strict=True):
        one, shine = _tooth(np.abs(x), y + rise, start, width)
        cover, shade = np.maximum(cover, one), np.maximum(shade, one * shine)
        start += width
    arch = 1 - 0.62 * np.clip(np.abs(x) / start, 0, 1) ** 1.7  # the row bends away from the light
    rgb = tone * (shade * arch)[..., None]
    gum = smoothstep(0.075, 0.10, -y)[..., None]
    rgb = rgb * (1 - gum) + (tone * np.array([0.72, 0.42, 0.40], np.float32) * arch[..., None]) * gum
    return Row(rgb.astype(np.float32), (cover * (1 - smoothstep(0.11, 0.125, -y))).astype(np.float32), anchor)


def _tooth(x: Real, y: Real, start: float, width: float) -> tuple[Real, Real]:
    """Coverage and light of one tooth from `start` to `start + width`, its rounded edge at y = 0."""
    t = np.clip((x - start - width / 2) / (width / 2), -1.6, 1.6)
    edge = -0.007 * np.abs(t) ** 3.6  # corners of the biting edge are round
    cover = smoothstep(0.0, 0.006, edge - y) * smoothstep(0.0, 0.05, 1.03 - np.abs(t))
    light = (
        (0.97 - 0.16 * np.abs(t) ** 4)
        * (1 - 0.10 * smoothstep(-0.018, 0.0, y))
        * (1 - 0.12 * smoothstep(0.03, 0.08, -y))
    )
    return cover, np.asarray(light, np.float32)


def cut(frame: Frame, face: FaceFrame, mouth: MouthShape) -> Row | None:
    """The upper teeth the source shows, fixed to its skull; None where it shows none worth keeping.

    Worth keeping are teeth in a good light, about as bright as the cheeks promise.
    """
    if mouth.gap < light.SHOWN_GAP:
        return None
    anchor = (float(mouth.centre[0]), float(mouth.lower_inner[len(mouth.lower_inner) // 2, 1]))
    x, y = _canvas()
    place = face.pixels(np.stack([x + anchor[0], y + anchor[1]], axis=-1))
    sampled = cv2.remap(frame, place[..., 0], place[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    rgb = np.asarray(sampled, np.float32)
    inside = _between(mouth, x + anchor[0], y + anchor[1])
    if not _well_lit(rgb, inside > 0.5, light.daylight(frame, face)):
        return None
    bright = _toothness(rgb, inside > 0.5)
    cover = np.asarray(cv2.GaussianBlur(bright * inside, (0, 0), 0.006 * RES), np.float32)
    if float((cover > 0.5).sum()) < 0.35 * float((inside > 0.5).sum()):
        return None
    cover = _rounded(cover)
    return Row(*_grown_up(_extended(rgb, cover), cover), anchor, real=True)


def _well_lit(rgb: Real, inside: NDArray[np.bool_], daylight: float) -> bool:
    """Whether a third of the opening is nearly as bright as teeth should be."""
    return bool(inside.any()) and float((rgb.mean(axis=2)[inside] > 0.8 * daylight).mean()) > 0.33


def _between(mouth: MouthShape, x: Real, y: Real) -> Real:
    """Soft mask of the source's mouth opening, kept a little away from the lips."""
    top = np.interp(x[0], mouth.upper_inner[:, 0], mouth.upper_inner[:, 1])
    low = np.interp(x[0], mouth.lower_inner[:, 0], mouth.lower_inner[:, 1])
    reach = smoothstep(0.0, 0.02, (mouth.half_width - np.abs(x - mouth.centre[0])))
    return smoothstep(0.0, 0.008, y - top) * smoothstep(0.0, 0.008, low - y) * reach


def _toothness(rgb: Real, inside: NDArray[np.bool_]) -> Real:
    """1 where a pixel is as bright and pale as the mouth's brightest parts, 0 where dark or red."""
    if not inside.any():
        return np.zeros(inside.shape, np.float32)
    value = rgb.mean(axis=2)
    bright = float(np.percentile(value[inside], 88))
    redness = (rgb[..., 0] - rgb[..., 1]) / np.maximum(rgb[..., 0], 1)
    dull = (
        float(np.percentile(redness[inside & (value > 0.8 * bright)], 50))
        if (value > 0.8 * bright)[inside].any()
        else 0.0
    )
    return smoothstep(0.42 * bright, 0.60 * bright, value) * (
        1 - smoothstep(dull + 0.16, dull + 0.30, redness)
    )


def _extended(rgb: Real, cover: Real) -> Real:
    """Colours carried on under the lips, so that no lip colour shows at the edges of the cut."""
    solid = (cover > 0.6).astype(np.float32)
    out, weight = rgb * solid[..., None], solid
    filled = out.copy()
    for sigma in (4.0, 10.0, 24.0):
        spread = cv2.GaussianBlur(out, (0, 0), sigma)
        mass = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        blank = filled.sum(axis=2) <= 0
        filled[blank] = (spread / np.maximum(mass, 1e-4))[blank] * (mass[blank] > 1e-3)
    blend = smoothstep(0.45, 0.75, cover)[..., None]
    return np.asarray(rgb * blend + filled * (1 - blend), np.float32)


def _rounded(cover: Real) -> Real:
    """Coverage whose holes (gaps between teeth, glints) are closed and whose rim is soft."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
    closed = cv2.morphologyEx(cover, cv2.MORPH_CLOSE, kernel)
    return np.asarray(cv2.GaussianBlur(closed, (0, 0), 2.0), np.float32)


def _grown_up(rgb: Real, cover: Real) -> tuple[Real, Real]:
    """The row continued upwards, where the source's upper lip hid it, for a frame whose lip stands higher."""
    rows = np.arange(len(cover))[:, None]
    has = cover.max(axis=0) > 0.5
    columns = np.arange(cover.shape[1])
    top = np.interp(columns, columns[has], (cover > 0.5).argmax(axis=0)[has])
    top = np.asarray(cv2.GaussianBlur(top[None].astype(np.float32), (0, 0), 6.0)[0], np.float32)
    from_row = np.minimum(np.maximum(rows, top.astype(int) + round(0.008 * RES)), len(cover) - 1)
    grown = np.take_along_axis(rgb, from_row[..., None], axis=0)
    rise = smoothstep(-0.07 * RES, -0.055 * RES, rows - top) * (rows < top) * has
    fade = 1 - 0.25 * smoothstep(0.0, 0.06 * RES, top - rows)  # darker towards the gum
    return np.asarray(grown * fade[..., None], np.float32), np.maximum(cover, rise).astype(np.float32)
