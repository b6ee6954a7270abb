"""Which frames the network paints; the others lie between two of them.

The network is what costs time, so it paints a fixed number of frames a second: those between which the
latents run straightest, found for every stretch of two seconds by dynamic programming. A frame between two
painted ones is their mean, weighted by time, each moved to where the face is in that frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import Frame

STRETCH_S = 2.0
LONGEST_S = 0.17  # between two painted frames
FARTHEST = 6 / 256  # of the square: a face that moved more since the last painted frame is painted anew
STEADY = np.s_[17:48]  # brows, nose and eyes of the 68 points: these do not speak

Real = NDArray[np.float32]


class Shot(NamedTuple):
    """One output frame: its number, source frame, strength of its patch, and what the network is told.

    latent: float32 [L]; square: uint8 [S, S, 3]; points: float32 [68, 2] in its pixels.
    """

    frame: int
    source: int
    strength: float
    latent: Real
    square: Frame
    points: Real


def groups(shots: Iterable[Shot], fps: float, painted_hz: float) -> Iterator[list[Shot]]:
    """Groups of a shot to paint and those between it and the next group's; all shots in order, streaming."""
    stretch = max(1, round(STRETCH_S * fps))
    held: list[Shot] = []
    for shot in shots:
        held.append(shot)
        if len(held) > stretch:
            *done, held = _grouped(held, fps, painted_hz)
            yield from done
    if held:
        yield from _grouped(held, fps, painted_hz)


def _grouped(shots: list[Shot], fps: float, painted_hz: float) -> list[list[Shot]]:
    """Every group begins with one to paint; the last shot is a group of its own."""
    most = int(np.ceil((len(shots) - 1) * painted_hz / fps))
    path = _straightest(shots, most, max(1, round(LONGEST_S * fps)))
    return [*(shots[a:b] for a, b in pairwise(path)), shots[-1:]]


def _straightest(shots: Sequence[Shot], spans: int, longest: int) -> list[int]:
    """Numbers of the shots to paint, first and last among them: `spans` spans, more only if it must be."""
    last = len(shots) - 1
    if spans >= last:
        return list(range(last + 1))
    price = {
        (a, b): _bend(shots[a : b + 1]) for a in range(last) for b in range(a + 1, min(a + longest, last) + 1)
    }
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [0])}
    for used in range(1, last + 1):
        further: dict[int, tuple[float, list[int]]] = {}
        for (a, b), cost in price.items():
            if a in best and np.isfinite(cost):
                total = best[a][0] + cost
                if b not in further or total < further[b][0]:
                    further[b] = (total, [*best[a][1], b])
        if used >= spans and last in further:
            return further[last][1]
        best = further
    return list(range(last + 1))


def _bend(shots: Sequence[Shot]) -> float:
    """How far latents lie from the line of the first and the last; infinite if the face moved far."""
    if len(shots) == 2:
        return 0.0
    first, last = shots[0], shots[-1]
    points = np.stack([shot.points[STEADY] for shot in shots])
    if np.abs(points - points[0]).max() > FARTHEST * len(first.square):
        return float("inf")
    share = np.linspace(0, 1, len(shots), dtype=np.float32)[1:-1, None]
    between = np.stack([shot.latent for shot in shots[1:-1]])
    return float(np.square(between - first.latent * (1 - share) - last.latent * share).sum())


def between(shot: Shot, before: tuple[Shot, Real], after: tuple[Shot, Real]) -> Real:
    """The picture [S, S, 3] of a shot, out of the painted ones beside it."""
    share = (shot.frame - before[0].frame) / (after[0].frame - before[0].frame)
    one, other = (_moved(picture, painted.points, shot.points) for painted, picture in (before, after))
    return np.asarray(one * (1 - share) + other * share, np.float32)


def _moved(picture: Real, points: Real, to: Real) -> Real:
    """A picture moved as the face did: shift, turn and scale, least squares over the steady points."""
    if np.array_equal(points, to):
        return picture
    source, target = points[STEADY], to[STEADY]
    a, b = source - source.mean(0), target - target.mean(0)
    cos, sin = (a * b).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    linear = np.array([[cos, -sin], [sin, cos]]) / np.square(a).sum()
    matrix = np.column_stack([linear, target.mean(0) - linear @ source.mean(0)])
    size = (picture.shape[1], picture.shape[0])
    moved = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)
