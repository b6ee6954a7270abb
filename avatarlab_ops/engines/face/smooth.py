"""Takes the tremble out of a landmark track without delaying it."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]

REST_HZ = 1.0  # cutoff for a point at rest: a mesh trembles at 3 Hz and above
# Cutoff gained per unit of speed (eye distances per second): lips in speech move at 0.5 to 3.
HZ_PER_SPEED = 12.0
SPEED_REACH = 2  # frames on either side over which speed is measured
_BLOCK = 64  # points at a time: speeds of all of them would take three times the track's memory


def smooth(track: Array, fps: float) -> Array:
    """Smoothed copy of float32 [n, points, 3], one uncut stretch of landmarks in pixels at `fps`.

    A low pass run forward, then backward (so its delay cancels), whose cutoff rises with each point's own
    speed, after the One Euro filter (Casiez et al., CHI 2012). Points at rest come out bit for bit.
    """
    out = track.copy()
    if len(track) < 3:
        return out
    eyes = float(np.median(np.hypot(*(track[:, 263, :2] - track[:, 33, :2]).T))) or 1.0
    for first in range(0, track.shape[1], _BLOCK):
        _smooth(out[:, first : first + _BLOCK], eyes, fps)
    return out


def _smooth(points: Array, eyes: float, fps: float) -> None:
    """Smooth float32 [n, points, 3] where they are; `eyes` is the distance between the eyes in pixels."""
    keep = _inertia(points, eyes, fps)
    for i in range(1, len(points)):
        points[i] += keep[i] * (points[i - 1] - points[i])
    for i in range(len(points) - 2, -1, -1):
        points[i] += keep[i] * (points[i + 1] - points[i])


def _inertia(track: Array, eyes: float, fps: float) -> Array:
    """Weight [n, points, 1] of the neighbour in the recursion, from a first-order low pass's cutoff."""
    cutoff = REST_HZ + HZ_PER_SPEED * _speed(track, eyes, fps)
    return np.asarray(np.exp(-2 * np.pi * cutoff / fps), np.float32)[..., None]


def _speed(track: Array, eyes: float, fps: float) -> Array:
    """Highest speed nearby, [n, points] in eye distances per second across the picture.

    Nearby in time, because lips stand still for an instant exactly where they are widest open.
    """
    padded = np.pad(track[..., :2], ((SPEED_REACH, SPEED_REACH), (0, 0), (0, 0)), mode="edge")
    n = len(track)
    before = (padded[0:n] + padded[1 : n + 1]) / 2
    after = (padded[3 : n + 3] + padded[4 : n + 4]) / 2
    seconds = (2 * SPEED_REACH - 1) / fps
    speed = np.linalg.norm(after - before, axis=-1) / (eyes * seconds)
    around = np.pad(speed, ((SPEED_REACH, SPEED_REACH), (0, 0)), mode="edge")
    return np.asarray(sliding_window_view(around, 2 * SPEED_REACH + 1, axis=0).max(axis=-1), np.float32)
