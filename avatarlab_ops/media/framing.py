"""Where a cut-out person stands in a picture: whole head with headroom, body down to the lower edge.

What looks wrong about a placement is a sum of a few costs, and of some thousand placements the one with the
lowest is taken. It serves the whole clip, so nothing swims.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.frames import EYE_CORNERS, Alpha
from avatarlab_ops.media.geometry import Matrix

Real = NDArray[np.float64]

SHARP = 1.5  # enlarged by more than this, a picture looks soft
EYES = 0.34  # of the picture's height from the top: the upper third
HEADROOMS = np.linspace(0.05, 0.12, 8)  # of the picture's height, above the crown
CROWN_TO_EYES = 0.25  # of the picture's height: head and chest
FACE_WIDTH = 0.46  # of the picture's width: what a narrow picture allows
OVERSCAN = 0.015  # of the picture: the head's own motion moves its edges by up to 1 %
OPAQUE = 128
_SCALES = np.geomspace(0.2, 5.0, 97)  # beside the scale that fills the picture


@dataclass(frozen=True)
class Subject:
    """The person over a whole clip, in pixels of the footage.

    `crown`, `eyes`, `chin` and `foot` (the lowest of the body) are rows, `middle` and `face` column and width
    of the face. `left` and `right` float64 [height] tell, row by row, for which share of the clip that side
    of the source cuts the person.
    """

    width: int
    height: int
    crown: float
    eyes: float
    chin: float
    foot: float
    middle: float
    face: float
    left: Real
    right: Real

    @property
    def beheaded(self) -> bool:
        """Whether the crown is beyond the source's upper edge."""
        return self.crown < 1


def subject(mattes: Iterable[Alpha], meshes: Iterable[NDArray[np.float32]]) -> Subject:
    """The person as seen in some frames: mattes uint8 [h, w] with their face meshes float32 [478, 3]."""
    rows, sides, shape = [], [], (0, 0)
    for alpha, mesh in zip(mattes, meshes, strict=True):
        solid, shape = alpha >= OPAQUE, alpha.shape
        rows.append(_measures(solid, mesh))
        rim = max(1, shape[1] // 100)  # mattes are unsure in the very last columns
        sides.append((solid[:, :rim].any(axis=1), solid[:, -rim:].any(axis=1)))
    _, eyes, chin, foot, middle, face = np.median(rows, axis=0)
    crown = np.percentile(np.array(rows)[:, 0], 10)  # also when the head is held high
    left, right = np.mean(sides, axis=0)
    return Subject(shape[1], shape[0], float(crown), eyes, chin, foot, middle, face, left, right)


def _measures(solid: NDArray[np.bool_], mesh: NDArray[np.float32]) -> tuple[float, ...]:
    """Crown, eyes, chin, foot, middle and width of the face in one frame."""
    (x0, y0), (x1, y1) = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    across = slice(max(0, int(x0)), max(1, int(x1)))
    free = np.flatnonzero(~solid[: max(0, int(y0)), across].any(axis=1))
    body = np.flatnonzero(solid.sum(axis=1) >= (x1 - x0) / 4)
    crown, foot = (free[-1] + 1 if free.size else 0), (body[-1] + 1 if body.size else y1)
    return tuple(map(float, (crown, mesh[EYE_CORNERS, 1].mean(), y1, foot, (x0 + x1) / 2, x1 - x0)))


class _Placements(NamedTuple):
    """Ways to show the footage: enlarged by `scale`, then moved by output pixels; float64 [n] each."""

    scale: Real
    right: Real
    down: Real


def place(person: Subject, size: tuple[int, int], *, sharp: float = SHARP) -> Matrix:
    """Return the matrix, footage to output pixels, that shows the person best in a picture of `size`.

    `sharp`: output pixels that a footage pixel may fill before it looks soft.
    """
    ways = _placements(person, size)
    fills = max(size[0] / person.width, size[1] / person.height)
    best = int(np.argmin(_faults(person, size, ways, max(fills, sharp))))
    scale, right, down = (float(column[best]) for column in ways)
    return np.array([[scale, 0, right + (scale - 1) / 2], [0, scale, down + (scale - 1) / 2]])


def _placements(person: Subject, size: tuple[int, int]) -> _Placements:
    """All sizes and headrooms; the face in the middle, or a side of the source at the picture's."""
    width, height = size
    fills = max(width / person.width, height / person.height)
    scale, room, side = (
        axis.ravel() for axis in np.meshgrid(fills * _SCALES, HEADROOMS, (0, 1, 2), indexing="ij")
    )
    centred = width / 2 - scale * person.middle
    leftmost, rightmost = -OVERSCAN * width, (1 + OVERSCAN) * width - scale * person.width
    right = np.choose(side, [centred, np.minimum(centred, leftmost), np.maximum(centred, rightmost)])
    down = np.where(person.beheaded, -OVERSCAN * height, room * height - scale * person.crown)
    return _Placements(scale, right, down)


def _faults(person: Subject, size: tuple[int, int], ways: _Placements, sharp: float) -> Real:
    """What is wrong with each placement, float64 [n]."""
    (width, height), (scale, right, down) = size, ways
    wished = min(
        CROWN_TO_EYES * height / max(person.eyes - person.crown, 1), FACE_WIDTH * width / person.face
    )
    too_large = np.log2(scale / wished)
    faults = (
        (1000, np.maximum(height * (1 + OVERSCAN) - scale * person.foot - down, 0) / height),  # torso floats
        (10, np.maximum((scale * person.chin + down) / height - 0.9, 0)),  # chin at the lower edge
        (5, _in_mid_air(person, size, ways)),
        (24, ((scale * person.middle + right) / width - 0.5) ** 2),
        (3, np.abs((scale * person.eyes + down) / height - EYES)),
        (1, np.maximum(2 * too_large, -too_large)),
        (1.5, np.maximum(np.log2(scale / sharp), 0)),
    )
    return np.asarray(sum(weight * fault for weight, fault in faults), np.float64)


def _in_mid_air(person: Subject, size: tuple[int, int], ways: _Placements) -> Real:
    """Length of the straight edges inside the picture at which the source cuts the person, of its height."""
    (width, height), (scale, right, down) = size, ways
    inside = 1 - OVERSCAN * width  # the sides of the source must lie so far beyond
    lengths = np.zeros_like(scale)
    for cut, within in (
        (person.left, right > inside),
        (person.right, right + scale * person.width < width - inside),
    ):
        until = np.concatenate([[0.0], np.cumsum(cut)])
        first, last = (np.interp((row - down) / scale, np.arange(len(until)), until) for row in (0, height))
        lengths += within * (last - first) * scale / height
    return lengths
