"""Which face leads: the largest of a shot's first, and that one alone until the next shot."""

from __future__ import annotations

import numpy as np

from avatarlab_ops.engines.face.admission import EQUAL_SIZE
from avatarlab_ops.engines.face.crop import mesh_side
from avatarlab_ops.engines.face.landmarker import LOST_REACH, Face
from avatarlab_ops.engines.tflite import Array

MOST_GROWTH = 2.0  # a lost face comes back at half to twice its size
SAME_PLACE = 0.5  # of its size: a face found that near to one that is followed is that one


class Leading:
    """The leading face of a clip of `fps` frames a second, and who is beside it and not taken for it."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self.last: Array | None = None  # where it was last seen, maybe in an earlier shot
        self._last_at = 0
        self._shot: int | None = 0  # where a shot begins in which nobody leads yet
        self._shots: list[int] = []  # in which somebody does
        self._others: list[Array] = []  # of this shot, where they were last seen

    def new_shot(self, index: int) -> None:
        """Frame `index` begins another shot: whoever leads in it may be somebody else."""
        self._shot = index
        self._others = []

    def follow(self, index: int, mesh: Array, beside: list[Face]) -> None:
        """The leading face is at `mesh` in frame `index`; `beside`: all faces that were found there."""
        self.last, self._last_at = mesh, index
        if self._shot is not None:
            self._shots.append(self._shot)
            self._shot = None
        self._claim(beside)
        near = SAME_PLACE * mesh_side(mesh)
        self._others += [face.landmarks for face in beside if _apart(face.landmarks, mesh) > near]

    def among(self, index: int, faces: list[Face]) -> Array | None:
        """The leading one of the faces found in frame `index`, or None where it is not among them."""
        if self.last is None or self._shot is not None:
            return self._largest(faces)
        away_s = (index - self._last_at) / self._fps
        free, last = self._claim(faces), self.last
        return self._largest([face for face in free if _like(face.landmarks, last, away_s)])

    def notes(self) -> tuple[str, ...]:
        """A remark on shots after the first that shows a face."""
        later = self._shots[1:]
        if not later:
            return ()
        at = f"{later[0] / self._fps:.1f} s in"
        one, more = f"Another shot begins {at}: its", f"Other shots begin, the first {at}: their"
        return (f"{more if later[1:] else one} largest face is taken, whoever that is.",)

    def _claim(self, faces: list[Face]) -> list[Face]:
        """The faces that are none of the others; where those are now is kept."""
        free = faces
        for number, other in enumerate(self._others):
            theirs = [face for face in free if self._is_of(face.landmarks, other)]
            if theirs:
                nearest = min(theirs, key=lambda face: _apart(face.landmarks, other))
                self._others[number] = nearest.landmarks
                free = [face for face in free if face is not nearest]
        return free

    def _is_of(self, mesh: Array, other: Array) -> bool:
        """Whether a mesh may be this other's, and is not rather the leading face's."""
        assert self.last is not None  # noqa: S101  others are beside it
        return _like(mesh, other, 0.0) and _apart(mesh, other) < _apart(mesh, self.last)

    def _largest(self, faces: list[Face]) -> Array | None:
        """The largest face; of those about as large, the one nearest to where the face was before."""
        if not faces or self.last is None:
            return faces[0].landmarks if faces else None
        large = [face.landmarks for face in faces if face.side >= EQUAL_SIZE * faces[0].side]
        last = self.last
        return min(large, key=lambda mesh: _apart(mesh, last))


def _like(mesh: Array, before: Array, away_s: float) -> bool:
    """Whether a mesh may be the one that was seen `away_s` seconds before, by its size and place.

    Half to twice as large and within the reach of a lost face; both widen by as much again every second.
    """
    wider, side = 1 + away_s, mesh_side(before)
    growth = mesh_side(mesh) / side
    near = _apart(mesh, before) <= wider * side * LOST_REACH / 2
    return near and max(growth, 1 / growth) <= wider * MOST_GROWTH


def _apart(one: Array, other: Array) -> float:
    """Distance in pixels between the middles of two meshes."""
    return float(np.hypot(*(one[:, :2].mean(axis=0) - other[:, :2].mean(axis=0))))
