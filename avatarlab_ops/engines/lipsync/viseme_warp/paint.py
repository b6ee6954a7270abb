"""One source face, ready to be painted with any mouth: warp, layers, lids."""

from __future__ import annotations

import cv2
import numpy as np

from avatarlab_ops.engines.base import Alpha, Frame
from avatarlab_ops.engines.lipsync.viseme_warp import field, seam
from avatarlab_ops.engines.lipsync.viseme_warp.blinks import Lids
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import (
    Box,
    FaceFrame,
    MouthShape,
    Real,
    height_at,
    mouth_of,
    smoothstep,
)
from avatarlab_ops.engines.lipsync.viseme_warp.interior import Interior
from avatarlab_ops.engines.lipsync.viseme_warp.shape import SMILING_CONTACT, Driven, driven

_RIM_PX = 6  # over so many pixels a patch fades out at its edge
_GRID = 0.045  # cell of the coarse warp grid, eye distances
_AT_REST: Real = np.zeros(2, np.float32)
_BITE = 0.006  # an open source's lips are cut this far inside, so that no tooth shows at their rim
_BESIDE, _ABOUT = 0.07, 0.05  # the finely layered area reaches this far beyond the lips' inner rim
_RIM_DEPTH, _RIM_DARK = 0.014, 0.26  # parted lips turn inwards and darken over this depth


class FacePainter:
    """Everything about one source frame that does not depend on what is said."""

    def __init__(
        self,
        frame: Frame,
        landmarks: Real,
        box: Box,
        *,
        interior: Interior | None = None,
        contact: float = SMILING_CONTACT,
        hang: Real = _AT_REST,
    ) -> None:
        self.box, self.face, self._contact, self._hang = box, FaceFrame.of(landmarks), contact, hang
        self._crop = np.ascontiguousarray(box.of(frame))
        raw = seam.refine(frame, self.face, mouth_of(landmarks, self.face))
        self.interior = interior or Interior.of(frame, self.face, raw, rest=raw, drift=_AT_REST)
        self._source = _bitten(raw)
        self._lids = Lids(landmarks, self.face, frame)
        self._lay_grid(field.Support.of(landmarks, self.face))

    def _lay_grid(self, support: field.Support) -> None:
        box, cell = self.box, max(2.0, _GRID * self.face.scale)
        self._cells = (max(round(box.width / cell), 2), max(round(box.height / cell), 2))
        self._skin = field.SkinPoints(self._source, support)
        self._coarse = box.local(self.face, self._cells)
        self._rim = _rim(box.width, box.height)
        rim = cv2.resize(self._rim, self._cells, interpolation=cv2.INTER_AREA)
        window = support.window(self._coarse) * rim
        self._active = window > 0
        self._to_pixels = window[self._active][:, None]
        fine = support.window(box.local(self.face))
        self._alpha = smoothstep(0.0, 0.12, fine) * self._rim
        ys, xs = np.mgrid[0 : box.height, 0 : box.width]
        self._places = np.stack([xs, ys], axis=-1).astype(np.float32)

    def paint(self, drive: dict[str, float], shut: float) -> tuple[Frame, Alpha]:
        """Patch colours uint8 [h, w, 3] and alpha uint8 [h, w] for drive values and lids shut by 0..1."""
        want = driven(self._source, drive, self._contact)
        upper, lower = self._fields(want)
        out = self._skin_layer(upper, lower, want.mouth)
        self._paint_mouth(out, upper, lower, want, drive["tongue"])
        alpha = self._alpha
        if shut > 0.01:
            covered = self._lids.draw(out, self.box.x, self.box.y, shut)
            alpha = np.maximum(alpha, cv2.GaussianBlur(covered, (0, 0), 1.5) * self._rim)
        return out, np.asarray(alpha * 255 + 0.5, np.uint8)

    def _fields(self, want: Driven) -> tuple[Real, Real]:
        """Backward displacement in pixels, float32 [gh, gw, 2] on the coarse grid: upper and lower field."""
        out = np.zeros((2, *self._coarse.shape), np.float32)
        moved = field.displacement(self._source, want, self._skin, self._coarse[self._active])
        for grid, one in zip(out, moved, strict=True):
            grid[self._active] = (one * self._to_pixels) @ (self.face.turn.T * self.face.scale)
        return out[0], out[1]

    def _skin_layer(self, upper: Real, lower: Real, mouth: MouthShape) -> Frame:
        """The whole patch but for the mouth's opening: each field on its side, flowing together."""
        above, below = self._sides(self._coarse, mouth)
        share = (below / np.maximum(above + below, 1e-6))[..., None]
        blended = (upper + (lower - upper) * share).astype(np.float32)
        size = (self.box.width, self.box.height)
        return self._sample(self._places + cv2.resize(blended, size, interpolation=cv2.INTER_CUBIC))

    def _paint_mouth(self, out: Frame, upper: Real, lower: Real, want: Driven, tongue: float) -> None:
        """Upper lip, lower lip and the inner mouth between them, laid over `out` in place."""
        mouth = want.mouth
        x, y, w, h = self._mouth_area(mouth)
        area = Box(self.box.x + x, self.box.y + y, w, h)
        local = area.local(self.face)
        above, below = self._sides(local, mouth)
        lips = self._shaded(local, mouth)
        inside = self.interior.paint(
            local, self.face, area, mouth, hang=self._hang, jaw=want.open, tongue=tongue
        )
        mixed = inside * np.clip(1 - above - below, 0, 1)[..., None]
        for one, side in ((upper, above), (lower, below)):
            places = self._places[y : y + h, x : x + w] + self._enlarged(one, x, y, w, h)
            mixed += self._sample(places) * (side * lips)[..., None]
        out[y : y + h, x : x + w] = np.clip(mixed + 0.5, 0, 255)

    def _sides(self, local: Real, mouth: MouthShape) -> tuple[Real, Real]:
        """How far places belong to the upper and to the lower lip, 0..1; the rest lies inside."""
        lx, ly = local[..., 0], local[..., 1]
        beyond = np.maximum(np.abs(lx - mouth.centre[0]) - mouth.half_width, 0)
        soft = max(0.9 / self.face.scale, 0.005) + 0.9 * beyond  # lips end sharply, skin flows
        above = 1 - smoothstep(-soft, soft, ly - height_at(mouth.upper_inner, lx))
        return above, smoothstep(-soft, soft, ly - height_at(mouth.lower_inner, lx))

    def _shaded(self, local: Real, mouth: MouthShape) -> Real:
        """Light on the lips: they turn inwards at the rim of an open mouth."""
        lx, ly = local[..., 0], local[..., 1]
        top, low = height_at(mouth.upper_inner, lx), height_at(mouth.lower_inner, lx)
        away = np.maximum(np.maximum(top - ly, ly - low), 0)
        parted = np.clip((low - top) / 0.04, 0, 1)
        return np.asarray(1 - _RIM_DARK * parted * np.exp(-((away / _RIM_DEPTH) ** 2)), np.float32)

    def _mouth_area(self, mouth: MouthShape) -> tuple[int, int, int, int]:
        """Rectangle (x, y, w, h) in the patch that holds both lips' inner rims and a margin."""
        points = np.concatenate([mouth.upper_inner, mouth.lower_inner])
        margin = np.array([_BESIDE, _ABOUT], np.float32)
        low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
        corners = np.array([[a, b] for a in (low[0], high[0]) for b in (low[1], high[1])], np.float32)
        at = self.face.pixels(corners) - (self.box.x, self.box.y)
        limit = np.array([self.box.width, self.box.height])
        x0, y0 = np.clip(np.floor(at.min(axis=0)).astype(int), 0, limit - 2)
        x1, y1 = np.clip(np.ceil(at.max(axis=0)).astype(int), (x0 + 1, y0 + 1), limit)
        return int(x0), int(y0), int(x1 - x0), int(y1 - y0)

    def _enlarged(self, coarse: Real, x: int, y: int, w: int, h: int) -> Real:
        """The part of a coarse grid under a rectangle of the patch, in pixels, float32 [h, w, 2]."""
        sx, sy = self._cells[0] / self.box.width, self._cells[1] / self.box.height
        place = np.array([[sx, 0, (x + 0.5) * sx - 0.5], [0, sy, (y + 0.5) * sy - 0.5]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        grid = np.asarray(coarse, np.float32)
        return np.asarray(cv2.warpAffine(grid, place, (w, h), flags=flags, borderMode=cv2.BORDER_REPLICATE))

    def _sample(self, places: Real) -> Frame:
        """Source colours at patch places float32 [h, w, 2]."""
        at = np.asarray(places, np.float32)
        sampled = cv2.remap(
            self._crop, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(sampled, np.uint8)


def _bitten(mouth: MouthShape) -> MouthShape:
    """Inner contours of an open mouth moved into the lips."""
    if mouth.gap <= seam.CLOSED_GAP:
        return mouth
    opening = np.clip((mouth.lower_inner[:, 1] - mouth.upper_inner[:, 1]) / 0.012, 0, 1) * _BITE
    upper, lower = mouth.upper_inner.copy(), mouth.lower_inner.copy()
    upper[:, 1] -= opening
    lower[:, 1] += opening
    return MouthShape(mouth.upper_outer, upper, lower, mouth.lower_outer)


def _rim(width: int, height: int) -> Real:
    """1 inside, falling to 0 at the outermost pixels of a rectangle."""
    across = np.minimum(np.arange(width), np.arange(width)[::-1])
    down = np.minimum(np.arange(height), np.arange(height)[::-1])
    return np.asarray(np.clip(np.minimum(across, down[:, None]) / _RIM_PX, 0, 1), np.float32)
