"""One source face, ready to be painted with any mouth: warp, layers, lids."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avatarlab_ops.engines.base import Alpha, Frame
from avatarlab_ops.engines.lipsync.viseme_warp import field, seam
from avatarlab_ops.engines.lipsync.viseme_warp.blinks import Lids
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import (
    F32,
    FaceFrame,
    MouthShape,
    mouth_of,
    smoothstep,
)
from avatarlab_ops.engines.lipsync.viseme_warp.interior import Interior, contour_y
from avatarlab_ops.engines.lipsync.viseme_warp.shape import Driven, driven

_GRID = 0.042  # cell of the coarse warp grid, eye distances
_BITE = 0.006  # an open source's lips are cut this far inside, so that no tooth shows at their rim


@dataclass(frozen=True)
class Box:
    """A rectangle of source pixels."""

    x: int
    y: int
    width: int
    height: int

    def of(self, frame: Frame) -> Frame:
        """That part of a frame, as a view."""
        return frame[self.y : self.y + self.height, self.x : self.x + self.width]


class FacePainter:
    """Everything about one source frame that does not depend on what is said."""

    def __init__(self, frame: Frame, landmarks: F32, box: Box, interior: Interior | None = None) -> None:
        self.box, self.face = box, FaceFrame.of(landmarks)
        self._crop = np.ascontiguousarray(box.of(frame))
        raw = seam.refine(frame, self.face, mouth_of(landmarks, self.face))
        self.interior = interior or Interior.of(frame, self.face, landmarks, raw)
        self._source = _bitten(raw)
        support = field.Support.of(landmarks, self.face)
        self._skin = field.SkinPoints(self._source, support)
        self._lids = Lids(landmarks, self.face)
        self._local = self.face.local_grid(box.x, box.y, box.width, box.height)
        self._step = max(2.0, _GRID * self.face.scale)
        cells = (round(box.width / self._step), round(box.height / self._step))
        self._coarse = _cells(self.face, box, cells)
        rim = _rim(box.width, box.height)
        self._window = (support.window(self._coarse) * cv2.resize(rim, cells, interpolation=cv2.INTER_AREA))[
            ..., None
        ]
        self._alpha = _mask(support, self._local) * rim
        self._rim = rim
        ys, xs = np.mgrid[0 : box.height, 0 : box.width].astype(np.float32)
        self._xs, self._ys = xs, ys

    def paint(self, drive: dict[str, float], shut: float) -> tuple[Frame, Alpha]:
        """Patch colours uint8 [h, w, 3] and alpha uint8 [h, w] for drive values and lids shut by 0..1."""
        want = driven(self._source, drive)
        upper, lower = self._maps(want)
        out = self._lips(upper, lower, want, drive["tongue"])
        alpha = self._alpha
        if shut > 0.01:
            covered = self._lids.draw(out, self.box.x, self.box.y, shut)
            alpha = np.maximum(alpha, cv2.GaussianBlur(covered, (0, 0), 1.5) * self._rim)
        return out, (alpha * 255 + 0.5).astype(np.uint8)

    def _maps(self, want: Driven) -> tuple[F32, F32]:
        """Backward displacement in pixels, float32 [h, w, 2], of the upper and the lower field."""
        fields = field.displacement(self._source, want, self._skin, self._coarse)
        to_pixels = self.face.turn.T * self.face.scale
        size = (self.box.width, self.box.height)
        upper, lower = (
            cv2.resize((one * self._window) @ to_pixels, size, interpolation=cv2.INTER_CUBIC)
            for one in fields
        )
        return upper, lower

    def _lips(self, upper: F32, lower: F32, want: Driven, tongue: float) -> Frame:
        """Upper face, lower face and, between the lips, the inner mouth."""
        lx, ly = self._local[..., 0], self._local[..., 1]
        mouth = want.mouth
        top, low = contour_y(mouth.upper_inner, lx), contour_y(mouth.lower_inner, lx)
        beyond = np.maximum(np.abs(lx - mouth.centre[0]) - mouth.half_width, 0)
        soft = np.maximum(1.0 / self.face.scale, 0.006) + 0.9 * beyond  # lips end sharply, skin flows
        above = 1 - smoothstep(-soft, soft, ly - top)
        below = smoothstep(-soft, soft, ly - low)
        shift = upper + (lower - upper) * (below / np.maximum(above + below, 1e-6))[..., None]
        out = self._sample(shift)
        x, y, w, h = self._mouth_area(mouth)
        view = np.s_[y : y + h, x : x + w]
        parts = [self._sample(one, view).astype(np.float32) for one in (upper, lower)]
        inside = self.interior.paint(
            self._local[view], self.face, self.box.x + x, self.box.y + y, mouth, want.jaw, tongue
        )
        a, b = above[view][..., None], below[view][..., None]
        mixed = parts[0] * a + parts[1] * b + inside * (1 - a - b).clip(0, 1)
        out[view] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
        return out

    def _mouth_area(self, mouth: MouthShape) -> tuple[int, int, int, int]:
        """Rectangle (x, y, w, h) in the patch that holds both lips' inner rims and a margin."""
        points = np.concatenate([mouth.upper_inner, mouth.lower_inner])
        low, high = points.min(axis=0) - (0.02, 0.05), points.max(axis=0) + (0.02, 0.05)
        corners = np.array([[a, b] for a in (low[0], high[0]) for b in (low[1], high[1])], np.float32)
        at = self.face.pixels(corners) - (self.box.x, self.box.y)
        x0, y0 = np.clip(np.floor(at.min(axis=0)).astype(int), 0, (self.box.width - 2, self.box.height - 2))
        x1, y1 = np.clip(
            np.ceil(at.max(axis=0)).astype(int), (x0 + 1, y0 + 1), (self.box.width, self.box.height)
        )
        return int(x0), int(y0), int(x1 - x0), int(y1 - y0)

    def _sample(self, shift: F32, view: tuple[slice, slice] = np.s_[:, :]) -> Frame:
        xs, ys = self._xs[view] + shift[view][..., 0], self._ys[view] + shift[view][..., 1]
        return cv2.remap(self._crop, xs, ys, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _bitten(mouth: MouthShape) -> MouthShape:
    """Inner contours of an open mouth moved into the lips."""
    if mouth.gap <= seam.CLOSED_GAP:
        return mouth
    opening = np.clip((mouth.lower_inner[:, 1] - mouth.upper_inner[:, 1]) / 0.03, 0, 1) * _BITE
    upper, lower = mouth.upper_inner.copy(), mouth.lower_inner.copy()
    upper[:, 1] -= opening
    lower[:, 1] += opening
    return MouthShape(mouth.upper_outer, upper, lower, mouth.lower_outer)


def _cells(face: FaceFrame, box: Box, cells: tuple[int, int]) -> F32:
    """Face coordinates float32 [h, w, 2] of the centres of a coarse grid laid over a box."""
    xs = box.x + (np.arange(cells[0], dtype=np.float32) + 0.5) * box.width / cells[0] - 0.5
    ys = box.y + (np.arange(cells[1], dtype=np.float32) + 0.5) * box.height / cells[1] - 0.5
    return face.local(np.stack(np.meshgrid(xs, ys), axis=-1).astype(np.float32))


def _rim(width: int, height: int, fade: int = 6) -> F32:
    """1 inside, falling to 0 at the outermost pixels of a rectangle."""
    across = np.minimum(np.arange(width), np.arange(width)[::-1])
    down = np.minimum(np.arange(height), np.arange(height)[::-1])
    return np.asarray(np.clip(np.minimum(across, down[:, None]) / fade, 0, 1), np.float32)


def _mask(support: field.Support, local: F32) -> F32:
    """Alpha of the moving skin: full wherever the warp acts, gone where it does not."""
    return smoothstep(0.0, 0.12, support.window(local))
