"""Smooth backward warp fields: where each place of the driven face comes from in the source.

One field carries the upper lip, one the lower lip and jaw; away from the mouth they agree. Thin-plate splines
through the lip contours and a lattice of skin points are solved once a frame and read on a coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.lipsync.viseme_warp.geometry import (
    CHIN,
    JAW_ANGLES,
    FaceFrame,
    MouthShape,
    Real,
    smoothstep,
)
from avatarlab_ops.engines.lipsync.viseme_warp.shape import Driven
from avatarlab_ops.errors import InvariantBroken

LATTICE = 0.155  # spacing of skin points, eye distances
_CLEAR = 0.055  # skin points keep this far from the lips
_LIP_REACH = 0.085  # skin follows the lips over this distance
_NECK = 0.42  # jaw motion dies away over this distance below the chin


@dataclass(frozen=True)
class Support:
    """The part of the face that may move: a box in face coordinates with its fade, and the jaw inside it."""

    left: float
    top: float
    right: float
    bottom: float
    chin: Real  # [2]
    jaw_half_width: float

    @classmethod
    def of(cls, landmarks: Real, face: FaceFrame) -> Support:
        """Support around landmarks float32 [478, >=2] in pixels."""
        local = face.local(landmarks[:, :2])
        chin = local[CHIN]
        half = max(float(np.abs(local[list(JAW_ANGLES), 0] - chin[0]).mean()), 0.45)
        return cls(
            left=float(chin[0] - half - 0.12),
            top=-0.20,
            right=float(chin[0] + half + 0.12),
            bottom=float(chin[1] + _NECK + 0.06),
            chin=chin,
            jaw_half_width=half,
        )

    def window(self, local: Real) -> Real:
        """1 where the warp acts in full, 0 at the support's edge, for face coordinates [..., 2]."""
        x, y = local[..., 0], local[..., 1]
        across = smoothstep(self.left, self.left + 0.14, x) * smoothstep(-self.right, -self.right + 0.14, -x)
        down = smoothstep(self.top, self.top + 0.12, y) * smoothstep(-self.bottom, -self.bottom + 0.10, -y)
        return np.asarray(across * down, np.float32)


class SkinPoints:
    """Skin around a source mouth: where it lies and how it follows the jaw and the lips."""

    def __init__(self, source: MouthShape, support: Support) -> None:
        xs = np.arange(support.left, support.right + LATTICE, LATTICE)
        ys = np.arange(support.top, support.bottom + LATTICE, LATTICE)
        points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(np.float32)
        ring = np.concatenate([source.upper_outer, source.lower_outer])[::2]
        away = np.linalg.norm(points[:, None] - ring, axis=2)
        outside = (away.min(axis=1) > _CLEAR) & ~_inside(points, source)
        self.points = points[outside]
        weights = np.exp(-0.5 * (away[outside] / 0.05) ** 2) + 1e-12
        self._pull = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        self._near = np.exp(-((away[outside].min(axis=1) / _LIP_REACH) ** 2)).astype(np.float32)
        self._jaw = _jaw_weight(self.points, source, support)
        self._ring_jaw = _jaw_weight(ring, source, support)

    def moved(self, source: MouthShape, driven: Driven) -> Real:
        """Skin points after the drive, float32 [n, 2]: jaw motion, and near the lips the lips' own."""
        before = np.concatenate([source.upper_outer, source.lower_outer])[::2]
        after = np.concatenate([driven.mouth.upper_outer, driven.mouth.lower_outer])[::2]
        shift = after - before
        shift[:, 1] -= self._ring_jaw * driven.jaw
        own = (self._pull @ shift) * self._near[:, None]
        own[:, 1] += self._jaw * driven.jaw
        return np.asarray(self.points + own, np.float32)


def _inside(points: Real, mouth: MouthShape) -> NDArray[np.bool_]:
    outline = np.concatenate([mouth.upper_outer, mouth.lower_outer[::-1]]) * 1000
    contour = outline.astype(np.float32)[:, None]
    tests = [cv2.pointPolygonTest(contour, (float(x), float(y)), False) for x, y in points * 1000]
    return np.asarray(np.array(tests) >= 0, np.bool_)


def _jaw_weight(points: Real, source: MouthShape, support: Support) -> Real:
    """1 on chin and lower lip, fading to 0 at the mouth corners' height, the cheeks and the neck."""
    x, y = points[:, 0], points[:, 1]
    lips = source.lower_outer
    onset = smoothstep(float(lips[0, 1]) - 0.03, float(lips[:, 1].max()) + 0.02, y)
    side = 1 - smoothstep(0.30, 1.0, np.abs(x - support.chin[0]) / support.jaw_half_width)
    neck = 1 - smoothstep(float(support.chin[1]) + 0.02, float(support.chin[1]) + _NECK, y)
    return np.asarray(onset * side * neck, np.float32)


def displacement(source: MouthShape, driven: Driven, skin: SkinPoints, at: Real) -> tuple[Real, Real]:
    """Backward displacement of the upper and of the lower field at face coordinates [n, 2], same shape."""
    skin_after = skin.moved(source, driven)
    fields = []
    for outer, inner in (("upper_outer", "upper_inner"), ("lower_outer", "lower_inner")):
        before = np.concatenate([skin.points, *(getattr(source, name)[::2] for name in (outer, inner))])
        after = np.concatenate([skin_after, *(getattr(driven.mouth, name)[::2] for name in (outer, inner))])
        fields.append(_spline(after, before - after, at))
    return fields[0], fields[1]


def _spline(knots: Real, values: Real, at: Real) -> Real:
    """Thin-plate spline through values [n, 2] at knots [n, 2], read at [m, 2]."""
    n = len(knots)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _kernel(knots.astype(np.float64), knots.astype(np.float64))
    system[np.arange(n), np.arange(n)] += 2e-4  # a little give keeps near-coincident knots from fighting
    system[:n, n] = system[n, :n] = 1
    system[:n, n + 1 :] = knots
    system[n + 1 :, :n] = knots.T
    weights = _solve(system, np.concatenate([values, np.zeros((3, 2))]))
    return np.asarray(_kernel(at, knots) @ weights[:n] + weights[n] + at @ weights[n + 1 :], np.float32)


def _solve(system: NDArray[Any], values: NDArray[Any]) -> Real:
    """One small solve on the calling thread: a threaded LAPACK loses more than it gains at this size."""
    solved, weights = cv2.solve(system, values, flags=cv2.DECOMP_LU)
    if not solved:
        raise InvariantBroken("the warp's control points coincide; please report the portrait")
    return np.asarray(weights, np.float32)


def _kernel(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    square = np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * (a @ b.T), 1e-9)
    return np.asarray(square * np.log(square))
