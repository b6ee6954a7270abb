"""Where the face is: an upright frame of its own, and its contours in that frame.

Lengths in the face's frame are in eye distances (outer corner to outer corner), x runs along the eyes and
y down. The origin is the base of the nose, which belongs to the skull: what is fixed there ignores the jaw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.frames import EYE_CORNERS

Real = NDArray[np.floating[Any]]  # float32 unless said otherwise

# MediaPipe mesh indices, from the person's right to their left.
UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
EYE_TOPS = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263))
EYE_BOTTOMS = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
BROW_BOTTOMS = ((46, 53, 52, 65, 55), (285, 295, 282, 283, 276))
NOSE_BASE = (2, 98, 327)
CHIN = 152
JAW_ANGLES = (58, 288)

SAMPLES = 33  # points of a lip contour, corner to corner


@dataclass(frozen=True)
class FaceFrame:
    """The face's own coordinates: pixel = origin + scale * turn @ local."""

    origin: Real  # [2] pixels
    turn: Real  # [2, 2] rotation
    scale: float  # pixels an eye distance

    @classmethod
    def of(cls, landmarks: Real) -> FaceFrame:
        """Frame of landmarks float32 [478, >=2] in pixels."""
        points = landmarks[:, :2]
        axis = points[EYE_CORNERS[1]] - points[EYE_CORNERS[0]]
        scale = max(float(np.hypot(*axis)), 1.0)
        cos, sin = axis / scale
        origin = points[list(NOSE_BASE)].mean(axis=0)
        return cls(origin.astype(np.float32), np.array([[cos, -sin], [sin, cos]], np.float32), scale)

    def local(self, pixels: Real) -> Real:
        """Pixels float32 [..., 2] to face coordinates."""
        return np.asarray((pixels - self.origin) @ self.turn / self.scale, np.float32)

    def pixels(self, local: Real) -> Real:
        """Face coordinates float32 [..., 2] to pixels."""
        return np.asarray(local @ self.turn.T * self.scale + self.origin, np.float32)


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

    def local(self, face: FaceFrame, cells: tuple[int, int] | None = None) -> Real:
        """Face coordinates float32 [h, w, 2] of the centres of `cells` (w, h), its pixels unless given."""
        columns, rows = cells or (self.width, self.height)
        xs = self.x + (np.arange(columns, dtype=np.float32) + 0.5) * self.width / columns - 0.5
        ys = self.y + (np.arange(rows, dtype=np.float32) + 0.5) * self.height / rows - 0.5
        return face.local(np.stack(np.meshgrid(xs, ys), axis=-1).astype(np.float32))


@dataclass(frozen=True)
class MouthShape:
    """Lip contours in face coordinates, float32 [SAMPLES, 2] each, right corner to left corner."""

    upper_outer: Real
    upper_inner: Real
    lower_inner: Real
    lower_outer: Real

    @property
    def gap(self) -> float:
        """Opening in the middle, in eye distances."""
        return float(np.linalg.norm(self.lower_inner[SAMPLES // 2] - self.upper_inner[SAMPLES // 2]))

    @property
    def centre(self) -> Real:
        """Midpoint of the inner corners."""
        return np.asarray((self.upper_inner[0] + self.upper_inner[-1]) / 2, np.float32)

    @property
    def half_width(self) -> float:
        """Half the distance between the inner corners."""
        return float(self.upper_inner[-1, 0] - self.upper_inner[0, 0]) / 2


def mouth_of(landmarks: Real, frame: FaceFrame) -> MouthShape:
    """Lip contours of a face whose landmarks are float32 [478, >=2] in pixels."""
    local = frame.local(landmarks[:, :2])
    upper_inner, lower_inner = local[list(UPPER_INNER)], local[list(LOWER_INNER)]
    # Crossed contours of a closed mouth meet midway.
    below = np.minimum(lower_inner[:, 1] - upper_inner[:, 1], 0)
    upper_inner[:, 1] += below / 2
    lower_inner[:, 1] -= below / 2
    return MouthShape(
        *(
            _curve(points)
            for points in (local[list(UPPER_OUTER)], upper_inner, lower_inner, local[list(LOWER_OUTER)])
        )
    )


def _curve(points: Real) -> Real:
    """Catmull-Rom curve through 11 contour points, sampled at SAMPLES places that fall on the points."""
    return np.asarray(_CURVE @ points, np.float32)


def _catmull_rom(knots: int, samples: int) -> Real:
    """Matrix [samples, knots] of a uniform Catmull-Rom curve with its end points doubled by reflection."""
    matrix = np.zeros((samples, knots + 2))
    for row, at in enumerate(np.linspace(0, knots - 1, samples)):
        k = min(int(at), knots - 2)
        t = at - k
        matrix[row, k : k + 4] = 0.5 * np.array(
            [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3]
        )
    inner = matrix[:, 1:-1].copy()
    for end, first, second in ((0, 0, 1), (-1, -1, -2)):  # the reflected point is 2 * end - neighbour
        inner[:, first] += 2 * matrix[:, end]
        inner[:, second] -= matrix[:, end]
    return inner.astype(np.float32)


_CURVE = _catmull_rom(11, SAMPLES)


def height_at(curve: Real, lx: Real) -> Real:
    """Height of a curve [n, 2], a graph over x, above every x of `lx`; its end values beyond its ends."""
    order = np.argsort(curve[:, 0], kind="stable")
    found = np.interp(lx.ravel(), curve[order, 0], curve[order, 1])
    return np.asarray(found.reshape(lx.shape), np.float32)


def smoothstep(low: float | Real, high: float | Real, x: float | Real) -> Real:
    """0 below `low`, 1 above `high`, a cubic between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
