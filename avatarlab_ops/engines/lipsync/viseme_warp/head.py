"""Slight head motion for a still portrait: slow drift and a nod with stressed syllables, around the neck."""

from __future__ import annotations

import numpy as np

from avatarlab_ops.engines.lipsync.viseme_warp.geometry import FaceFrame, Real

STILL: Real = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
_NECK_BELOW_NOSE = 1.3  # pivot, eye distances
_TURN_DEG = 0.55
_SHIFT = 0.010  # eye distances
_GROWTH = 0.004
_NOD = 0.007  # eye distances a stressed syllable
_HZ = (0.11, 0.37)  # slowest and fastest drift


class Sway:
    """A smooth random path of small similarity transforms; equal seeds walk equal paths."""

    def __init__(self, rng: np.random.Generator, parts: int = 3) -> None:
        self._hz = rng.uniform(*_HZ, size=(4, parts))
        self._phase = rng.uniform(0, 2 * np.pi, size=(4, parts))
        self._share = rng.dirichlet(np.full(parts, 3.0), size=4)

    def at(self, time_s: float, stress: float, face: FaceFrame) -> Real:
        """Transform float32 [2, 3] of the whole picture at a time, for `stress` 0..1; identity at time 0."""
        turn, dx, dy, growth = self._path(time_s)
        angle, scale = np.deg2rad(_TURN_DEG) * turn, 1 + _GROWTH * growth
        shift = face.turn @ np.array([_SHIFT * dx, 0.6 * _SHIFT * dy + _NOD * stress]) * face.scale
        pivot = face.pixels(np.array([0.0, _NECK_BELOW_NOSE], np.float32))
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([linear, pivot - linear @ pivot + shift]).astype(np.float32)

    def _path(self, time_s: float) -> np.ndarray:
        """Four values of about -1..1 that start at 0 and stay smooth."""
        wave = np.sin(2 * np.pi * self._hz * time_s + self._phase)
        fade = min(time_s / 1.5, 1.0)
        return np.asarray((wave * self._share).sum(axis=1) * fade * fade * (3 - 2 * fade))
