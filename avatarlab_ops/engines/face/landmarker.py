"""478 face landmarks a frame: Google's face_landmarker_v2.task on LiteRT."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from avatarlab_ops.engines import weights
from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.face.crop import cropped, mesh_side, rotation
from avatarlab_ops.engines.face.detector import Detection, FaceDetector, distinct
from avatarlab_ops.engines.face.hands import HandFinder
from avatarlab_ops.engines.tflite import Array, TfLite, sigmoid
from avatarlab_ops.frames import EYE_CORNERS

TASK_FILE = "face_landmarker_v2.task"
MIN_PRESENCE = 0.5  # a followed face; below it the face is looked for again
FOUND_PRESENCE = 0.95  # a face found anew: true ones reach 0.99, look-alikes stay below
CROP_SCALE = 1.5  # crop side beside the face's longer edge


LOST_REACH = 4.0  # a lost face is looked for first within this many of its own sizes


@dataclass(frozen=True)
class Face:
    """One face: mesh float32 [478, 3] in pixels of the frame, presence 0..1, and where it was detected."""

    landmarks: Array
    presence: float
    detection: Detection

    @property
    def side(self) -> float:
        """Longer edge of the mesh's bounding box in pixels."""
        return mesh_side(self.landmarks)


class Landmarker:
    """Detects faces and fits the 478-point mesh; one instance per thread."""

    def __init__(self) -> None:
        with zipfile.ZipFile(weights.path(TASK_FILE)) as task:
            self._detector = FaceDetector(task.read("face_detector.tflite"))
            self._mesh = TfLite(task.read("face_landmarks_detector.tflite"))

    @cached_property
    def hands(self) -> HandFinder:
        """What looks for hands, loaded when first asked for (about 30 ms)."""
        return HandFinder()

    def faces(self, frame: Frame, *, thorough: bool = False) -> list[Face]:
        """Faces of an RGB uint8 [H, W, 3] frame, largest first.

        The search goes from the whole frame to ever smaller tiles and stops at the first level that shows a
        face; `thorough` goes one level deeper, so that faces much smaller than the largest are seen as well.
        A candidate counts only when the mesh network, too, sees a face there.
        """
        seen: list[Face] = []
        for candidates in self._detector.search(frame):
            deeper = bool(seen)
            fits = [fit for candidate in candidates if (fit := self.fit(frame, candidate))]
            seen = _distinct(seen + fits)
            if deeper or (seen and not thorough):
                break
        return seen

    def landmarks(self, frame: Frame, previous: Array | None = None) -> tuple[Array, float] | None:
        """Mesh float32 [478, 3] and presence 0..1 of one face, or None when no face is seen.

        With `previous` (the landmarks of the frame before) that face is followed; when it is lost, or without
        `previous`, the largest face is taken. x and y are pixels of the frame with pixel centres at whole
        numbers, z has the scale of x and falls towards the camera. Points may lie outside the frame.
        """
        followed = None if previous is None else self.follow(frame, previous)
        if followed is not None:
            return followed
        faces = self.faces(frame)
        return (faces[0].landmarks, faces[0].presence) if faces else None

    def recover(self, frame: Frame, last: Array) -> list[Face]:
        """Faces near where a lost one was last seen and in all the frame, largest first; not small ones."""
        low, high = last[:, :2].min(axis=0), last[:, :2].max(axis=0)
        near = self._detector.around(frame, (low + high) / 2, mesh_side(last) * LOST_REACH)
        candidates = distinct(near + next(self._detector.search(frame)))
        return [fit for candidate in candidates if (fit := self.fit(frame, candidate))]

    def follow(self, frame: Frame, previous: Array) -> tuple[Array, float] | None:
        """Mesh near where `previous` lay, or None when the face is gone."""
        return self._present(self._crop_of_mesh(frame, previous))

    def fit(self, frame: Frame, face: Detection) -> Face | None:
        """Mesh of a detected face, or None when the mesh network sees no face there.

        The second pass crops by the first mesh, as every following frame does, so both give the same mesh.
        """
        right_eye, left_eye = face.points[:2]
        first = self._present(self._run(frame, face.centre, face.side * CROP_SCALE, left_eye - right_eye))
        second = self.follow(frame, first[0]) if first else None
        return Face(*second, face) if second and second[1] >= FOUND_PRESENCE else None

    @staticmethod
    def _present(fit: tuple[Array, float]) -> tuple[Array, float] | None:
        return fit if fit[1] >= MIN_PRESENCE else None

    def _crop_of_mesh(self, frame: Frame, mesh: Array) -> tuple[Array, float]:
        points = mesh[:, :2]
        axis = points[EYE_CORNERS[1]] - points[EYE_CORNERS[0]]
        turn = rotation(axis)
        upright = points @ turn  # coordinates along and across the eye axis
        low, high = upright.min(axis=0), upright.max(axis=0)
        return self._run(frame, turn @ ((low + high) / 2), float((high - low).max()) * CROP_SCALE, axis)

    def _run(self, frame: Frame, centre: Array, side: float, eye_axis: Array) -> tuple[Array, float]:
        """Mesh and presence from the square crop around `centre` whose rows run along `eye_axis`."""
        picture, to_frame = cropped(frame, centre, side, eye_axis, self._mesh.size[0])
        out = self._mesh(picture)
        scale = float(np.hypot(*to_frame[:, 0]))
        # Centres of pixels lie at whole numbers.
        mesh = out["Identity"].reshape(478, 3) - np.array([0.5, 0.5, 0], np.float32)
        placed = np.concatenate(
            [mesh[:, :2] @ to_frame[:, :2].T + to_frame[:, 2], mesh[:, 2:] * scale], axis=1
        )
        return placed.astype(np.float32), float(sigmoid(out["Identity_1"]).item())


def _distinct(faces: list[Face]) -> list[Face]:
    """One entry per face, largest first."""
    kept = {id(detection) for detection in distinct([face.detection for face in faces])}
    return sorted((face for face in faces if id(face.detection) in kept), key=lambda face: -face.side)
