"""Teeth: the person's own where the source shows them, else a drawn row; upper teeth belong to the skull.

A row is a picture in face coordinates (`RES` pixels an eye distance) and its coverage.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import F32, FaceFrame, MouthShape, smoothstep

RES = 420  # picture pixels an eye distance
_HALF_W, _ABOVE, _BELOW = 0.36, 0.13, 0.17  # extent of the picture around its anchor, eye distances
_SHOWN_GAP = 0.05  # a source mouth opened wider than this may show teeth
# Widths from the midline outwards as seen from the front, eye distances of about 90 mm (Wheeler's averages, foreshortened).
_UPPER_WIDTHS = (0.092, 0.070, 0.064, 0.048, 0.038, 0.028)
_UPPER_RISE = (0.000, 0.007, 0.003, 0.010, 0.016, 0.022)  # incisal edge above that of the middle teeth
_LOWER_WIDTHS = (0.058, 0.060, 0.062, 0.050, 0.040, 0.030)


@dataclass(frozen=True)
class Row:
    """A row of teeth: rgb float32 [h, w, 3] 0..255, cover float32 [h, w] 0..1, anchored at face place (x, y)."""

    rgb: F32
    cover: F32
    anchor: tuple[float, float]

    def onto(self, canvas: F32, face: FaceFrame, x: int, y: int, drop: float = 0.0) -> tuple[F32, F32]:
        """Picture and coverage in the pixels of `canvas` [h, w, 3], which lies at (x, y); `drop` moves it down."""
        unit = np.array(
            [[1 / RES, 0, self.anchor[0] - _HALF_W], [0, 1 / RES, self.anchor[1] - _ABOVE + drop]]
        )
        turn = face.turn.astype(np.float64) * face.scale
        matrix = np.empty((2, 3))
        matrix[:, :2] = turn @ unit[:, :2]
        matrix[:, 2] = turn @ unit[:, 2] + face.origin - (x, y)
        size = (canvas.shape[1], canvas.shape[0])
        flags = cv2.INTER_AREA if face.scale < RES / 2 else cv2.INTER_LINEAR
        stacked = np.dstack([self.rgb, self.cover * 255])
        if face.scale < RES / 2:  # shrunk first, or thin gaps would alias
            stacked = cv2.GaussianBlur(stacked, (0, 0), 0.4 * RES / face.scale)
        out = cv2.warpAffine(stacked, matrix, size, flags=cv2.INTER_LINEAR if flags else flags)
        return out[..., :3], out[..., 3] / 255


def _canvas() -> tuple[F32, F32]:
    xs = np.arange(round(2 * _HALF_W * RES), dtype=np.float32) / RES - _HALF_W
    ys = np.arange(round((_ABOVE + _BELOW) * RES), dtype=np.float32) / RES - _ABOVE
    x, y = np.meshgrid(xs, ys)
    return x, y


def drawn(tone: F32, anchor: tuple[float, float], *, upper: bool) -> Row:
    """A plain natural row in the given tone float32 [3]; the anchor is the middle of the biting edge."""
    x, y = _canvas()
    y = y if upper else -y  # in both rows y now falls from the gum to the edge at 0
    widths = _UPPER_WIDTHS if upper else _LOWER_WIDTHS
    rises = _UPPER_RISE if upper else (0.0, 0.002, 0.004, 0.008, 0.012, 0.018)
    cover, shade = np.zeros_like(x), np.zeros_like(x)
    start = 0.0
    for width, rise in zip(widths, rises, strict=True):
        one, light = _tooth(np.abs(x), y + rise, start, width)
        cover, shade = np.maximum(cover, one), np.maximum(shade, one * light)
        start += width
    arch = 1 - 0.62 * np.clip(np.abs(x) / start, 0, 1) ** 1.7  # the row bends away from the light
    rgb = tone * (shade * arch)[..., None]
    gum = smoothstep(0.075, 0.10, -y)[..., None]
    rgb = rgb * (1 - gum) + (tone * np.array([0.72, 0.42, 0.40], np.float32) * arch[..., None]) * gum
    return Row(rgb.astype(np.float32), (cover * (1 - smoothstep(0.11, 0.125, -y))).astype(np.float32), anchor)


def _tooth(x: F32, y: F32, start: float, width: float) -> tuple[F32, F32]:
    """Coverage and light of one tooth from `start` to `start + width`, its rounded edge at y = 0."""
    t = np.clip((x - start - width / 2) / (width / 2), -1.6, 1.6)
    edge = -0.010 * np.abs(t) ** 3.2  # corners of the biting edge are round
    cover = smoothstep(0.0, 0.006, edge - y) * smoothstep(0.0, 0.05, 1.03 - np.abs(t))
    light = (
        (0.97 - 0.16 * np.abs(t) ** 4)
        * (1 - 0.10 * smoothstep(-0.018, 0.0, y))
        * (1 - 0.12 * smoothstep(0.03, 0.08, -y))
    )
    return cover, np.asarray(light, np.float32)


def tone(frame: Frame, face: FaceFrame, landmarks: F32, mouth: MouthShape) -> F32:
    """Colour teeth would have in this face's light, float32 [3]: ivory under the light the cheeks show."""
    local = np.array([[-0.34, 0.02], [0.34, 0.02], [-0.30, -0.05], [0.30, -0.05], [0.0, -0.12]], np.float32)
    skin = np.median(_patches(frame, face.pixels(local), face.scale * 0.03), axis=0)
    light = float(np.clip(skin @ (0.30, 0.59, 0.11) * 0.92 + 26, 60, 205))
    tint = skin / max(float(skin.mean()), 1)
    ivory = np.array([1.03, 0.985, 0.90]) * (0.8 + 0.2 * tint)
    return (light * ivory).astype(np.float32)


def skin_light(frame: Frame, face: FaceFrame, mouth: MouthShape) -> F32:
    """Median colour of the lower lip, float32 [3]: the flesh the inner mouth is tinted with."""
    middle = (mouth.lower_inner + 2 * mouth.lower_outer)[8:-8] / 3
    return np.median(_patches(frame, face.pixels(middle), 1.5), axis=0).astype(np.float32)


def _patches(frame: Frame, centres: F32, radius: float) -> F32:
    """Mean colours float32 [n, 3] around pixel centres [n, 2]."""
    height, width = frame.shape[:2]
    r = max(int(radius), 1)
    found = []
    for cx, cy in centres:
        x, y = int(np.clip(cx, r, width - 1 - r)), int(np.clip(cy, r, height - 1 - r))
        found.append(frame[y - r : y + r + 1, x - r : x + r + 1].reshape(-1, 3).mean(axis=0))
    return np.array(found, np.float32)


def cut(frame: Frame, face: FaceFrame, mouth: MouthShape) -> Row | None:
    """The upper teeth the source shows, fixed to its skull; None where it shows none worth keeping."""
    if mouth.gap < _SHOWN_GAP:
        return None
    anchor = (float(mouth.centre[0]), float(mouth.lower_inner[len(mouth.lower_inner) // 2, 1]))
    x, y = _canvas()
    place = face.pixels(np.stack([x + anchor[0], y + anchor[1]], axis=-1))
    rgb = cv2.remap(frame, place[..., 0], place[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    rgb = rgb.astype(np.float32)
    inside = _between(mouth, x + anchor[0], y + anchor[1])
    bright = _toothness(rgb, inside > 0.5)
    cover = cv2.GaussianBlur(bright * inside, (0, 0), 0.006 * RES)
    if float((cover > 0.5).sum()) < 0.35 * float((inside > 0.5).sum()):
        return None
    return Row(_extended(rgb, cover), _rounded(cover), anchor)


def _between(mouth: MouthShape, x: F32, y: F32) -> F32:
    """Soft mask of the source's mouth opening, kept a little away from the lips."""
    top = np.interp(x[0], mouth.upper_inner[:, 0], mouth.upper_inner[:, 1])
    low = np.interp(x[0], mouth.lower_inner[:, 0], mouth.lower_inner[:, 1])
    reach = smoothstep(0.0, 0.02, (mouth.half_width - np.abs(x - mouth.centre[0])))
    return smoothstep(0.0, 0.008, y - top) * smoothstep(0.0, 0.008, low - y) * reach


def _toothness(rgb: F32, inside: np.ndarray) -> F32:
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


def _extended(rgb: F32, cover: F32) -> F32:
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


def _rounded(cover: F32) -> F32:
    """Coverage whose holes (gaps between teeth, glints) are closed and whose rim is soft."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
    closed = cv2.morphologyEx(cover, cv2.MORPH_CLOSE, kernel)
    return np.asarray(cv2.GaussianBlur(closed, (0, 0), 2.0), np.float32)
