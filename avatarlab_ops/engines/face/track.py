"""The leading face through a clip: follow, fill what is missing, smooth between cuts."""

from __future__ import annotations

from collections.abc import Iterable
from operator import length_hint

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import FaceTrack, Frame
from avatarlab_ops.engines.cuts import CutDetector, runs, stretches
from avatarlab_ops.engines.face.admission import note_on_others, refuse_rivals, refuse_small
from avatarlab_ops.engines.face.covering import mouth_covered
from avatarlab_ops.engines.face.crop import mesh_side
from avatarlab_ops.engines.face.landmarker import Face, Landmarker
from avatarlab_ops.engines.face.leading import Leading
from avatarlab_ops.engines.face.smooth import smooth
from avatarlab_ops.engines.tflite import Array
from avatarlab_ops.errors import FaceRefused
from avatarlab_ops.progress import Report, silent

LOOK_AROUND_S = 1.0  # between two thorough searches of the whole frame
BRIEF_S = 0.25  # a face unseen for less is taken to have stayed: a hand, a blur
ROWS_APART = 16  # two pictures that differ mostly do so in every sixteenth row
HANDS_S = BRIEF_S  # between two looks for a hand before the mouth: one costs as much as one for the face


def track_faces(
    frames: Iterable[Frame],
    *,
    fps: float,
    width: int,
    height: int,
    covering: bool = True,
    report: Report = silent,
) -> FaceTrack:
    """Track the leading face of a clip of RGB uint8 [height, width, 3] frames at `fps` frames a second.

    Frames are read once, in order. Without `covering` nobody looks whether the mouth is covered, which saves
    time; the landmarks are the same. Raises FaceRefused when no frame shows a face, when two faces are
    equally large in the first frame that shows any or in most of the frames looked at, or when the face is
    too small.
    """
    total = length_hint(frames)
    follower = _Follower(fps, covering=covering)
    for index, frame in enumerate(frames):
        follower.step(index, frame)
        report(index + 1, max(total, index + 1), "frames")
    if not follower.seen_any:
        raise FaceRefused(
            f"No face was found in any of the {len(follower.meshes)} frames ({width}x{height} pixels). "
            "Use a picture or clip in which one face looks into the camera."
        )
    present = np.array([mesh is not None for mesh in follower.meshes])
    refuse_small(float(np.median([mesh_side(mesh) for mesh in follower.meshes if mesh is not None])))
    covered = _steady(follower.hidden(), round(BRIEF_S * fps))
    notes = follower.notes() + _note_on_gaps(present, fps)
    landmarks, present = _filled(follower.meshes, present, follower.cuts, round(BRIEF_S * fps))
    follower.meshes.clear()  # as large as the landmarks, in a long clip
    for start, end in stretches(present, follower.cuts):
        landmarks[start:end] = smooth(landmarks[start:end], fps)
    _hold(landmarks, present)
    covered &= present  # only a face has a mouth
    present &= ~covered
    notes += _note_on_covering(covered, fps) + follower.leading.notes()
    return FaceTrack(
        landmarks, present, width, height, fps, notes,
        covered if covered.any() else None, tuple(sorted(follower.cuts)),
    )  # fmt: skip


class _Follower:
    """State of the walk through the frames."""

    def __init__(self, fps: float, *, covering: bool) -> None:
        self._covering = covering
        self.meshes: list[Array | None] = []
        self._covered: list[bool] = []
        self._behind_hand: list[bool] = []
        self.cuts: set[int] = set()
        self._every = max(1, round(LOOK_AROUND_S * fps))
        self._looked_at = 0
        self._hands_every = max(1, round(HANDS_S * fps))
        self._hand_looks: list[int] = []
        self._landmarker = Landmarker()
        self._cut_detector = CutDetector()
        self._frame: Frame | None = None
        self.leading = Leading(fps)
        self._looks = 0
        self._rivals: FaceRefused | None = None
        self._rival_looks = 0
        self._note: str | None = None

    @property
    def seen_any(self) -> bool:
        return self.leading.last is not None

    def step(self, index: int, frame: Frame) -> None:
        """Add the mesh of the next frame, or None."""
        if self._frame is not None and _equal(frame, self._frame):
            self.meshes.append(self.meshes[-1])  # a frozen picture stays still
            self._covered.append(self._covered[-1])
            self._behind_hand.append(self._behind_hand[-1])
            return
        cut = self._cut_detector.is_cut(frame)
        if cut:
            self.cuts.add(index)
            self.leading.new_shot(index)
        mesh = self._mesh(index, frame)
        self.meshes.append(mesh)
        looked = mesh if self._covering else None
        self._covered.append(looked is not None and mouth_covered(frame, looked))
        self._behind_hand.append(looked is not None and self._is_behind_hand(index, frame, looked))
        self._frame = frame.copy()  # the source may reuse its buffer

    def _mesh(self, index: int, frame: Frame) -> Array | None:
        """The leading face's mesh, or None."""
        fresh = index in self.cuts or not self.seen_any
        look = fresh or index - self._looked_at >= self._every
        self._looked_at = index if look else self._looked_at
        faces = self._look_around(frame) if look else []
        mesh = None if fresh else self._followed(frame)
        if mesh is None:
            if not look and self.leading.last is not None:
                faces = self._landmarker.recover(frame, self.leading.last)
            mesh = self.leading.among(index, faces)
        if mesh is not None:
            self.leading.follow(index, mesh, faces)
        return mesh

    def _followed(self, frame: Frame) -> Array | None:
        previous = self.meshes[-1]
        followed = None if previous is None else self._landmarker.follow(frame, previous)
        return None if followed is None else followed[0]

    def _is_behind_hand(self, index: int, frame: Frame, mesh: Array) -> bool:
        """What was seen at the last look holds until the next."""
        last = self._hand_looks[-1] if self._hand_looks else -self._hands_every
        if index - last < self._hands_every and index not in self.cuts:
            return self._behind_hand[-1]
        self._hand_looks.append(index)
        return self._landmarker.hands.before_mouth(frame, mesh)

    def hidden(self) -> NDArray[np.bool_]:
        """Frames [n] whose mouth is covered; a hand may have come at any frame since the look before."""
        behind = np.array(self._behind_hand)
        hidden: NDArray[np.bool_] = behind | self._covered
        for start, _ in runs(behind):
            looks = (look + 1 for look in self._hand_looks if look < start)
            cuts = (cut for cut in self.cuts if cut <= start)
            hidden[max((0, *looks, *cuts)) : start] = True
        return hidden

    def _look_around(self, frame: Frame) -> list[Face]:
        """All faces of the frame; keeps count of those that rival the leading one."""
        faces = self._landmarker.faces(frame, thorough=True)
        if not faces:
            return faces
        self._looks += 1
        self._note = self._note or note_on_others(faces)
        try:
            refuse_rivals(faces)
        except FaceRefused as refused:
            if self._looks == 1:
                raise
            self._rival_looks += 1
            self._rivals = refused
        return faces

    def notes(self) -> tuple[str, ...]:
        """Remarks on other faces; raises FaceRefused when rivals were there most of the time."""
        if self._rivals and self._rival_looks * 2 > self._looks:
            raise self._rivals
        return (self._note,) if self._note else ()


def _equal(one: Frame, other: Frame) -> bool:
    """Whether two pictures are the same; of two that differ a few rows tell so."""
    few = slice(None, None, ROWS_APART)
    return np.array_equal(one[few], other[few]) and np.array_equal(one, other)


def _note_on_gaps(present: NDArray[np.bool_], fps: float) -> tuple[str, ...]:
    missing = int((~present).sum())
    if not missing:
        return ()
    return (
        f"No face in {missing} of {len(present)} frames ({missing / fps:.1f} s): the source stays as it is.",
    )


def _note_on_covering(covered: NDArray[np.bool_], fps: float) -> tuple[str, ...]:
    hidden = int(covered.sum())
    if not hidden:
        return ()
    return (
        f"The mouth is covered in {hidden} of {len(covered)} frames ({hidden / fps:.1f} s): the source stays "
        "as it is.",
    )


def _steady(flags: NDArray[np.bool_], brief: int) -> NDArray[np.bool_]:
    """Flags without runs, of either kind, that are `brief` or shorter and end within the clip."""
    steady = flags.copy()
    for value in (False, True):  # first short gaps are closed, then short coverings dropped
        for start, end in runs(steady == value):
            if end - start <= brief and (start > 0 or value) and (end < len(flags) or value):
                steady[start:end] = not value
    return steady


def _filled(
    meshes: list[Array | None], present: NDArray[np.bool_], cuts: set[int], brief: int
) -> tuple[Array, NDArray[np.bool_]]:
    """Landmarks [n, 478, 3] and presence, with short gaps that no cut touches interpolated."""
    landmarks = np.zeros((len(meshes), 478, 3), np.float32)
    for index, mesh in enumerate(meshes):
        if mesh is not None:
            landmarks[index] = mesh
    shown = present.copy()
    for start, end in runs(~present):
        uncut = not cuts.intersection(range(start, end + 1))
        if start > 0 and end < len(meshes) and end - start <= brief and uncut:
            share = (np.arange(1, end - start + 1, dtype=np.float32) / (end - start + 1))[:, None, None]
            landmarks[start:end] = landmarks[start - 1] * (1 - share) + landmarks[end] * share
            shown[start:end] = True
    return landmarks, shown


def _hold(landmarks: Array, present: NDArray[np.bool_]) -> None:
    """Repeat the nearest seen face where none is present."""
    seen = np.flatnonzero(present)
    gone = np.flatnonzero(~present)
    after = np.clip(np.searchsorted(seen, gone), 0, len(seen) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.where(np.abs(seen[after] - gone) < np.abs(gone - seen[before]), seen[after], seen[before])
    landmarks[gone] = landmarks[nearer]
