"""May this picture be an avatar? Cheap enough to ask before a render is accepted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.face.covering import colourless, mouth_covered
from avatarlab_ops.engines.face.crop import mesh_side
from avatarlab_ops.engines.face.landmarker import Face, Landmarker
from avatarlab_ops.engines.face.pose import Pose, pose
from avatarlab_ops.engines.tflite import Array
from avatarlab_ops.errors import FaceRefused

MIN_FACE_PX = 40  # longer edge of the mesh; below it a mouth has a dozen pixels
MAX_YAW_DEG = 40.0  # beyond, one mouth corner hides behind the other cheek
MAX_PITCH_DEG = 35.0
MAX_ROLL_DEG = 50.0
TURN_CHECK_PX = 360  # short side of the copy that is turned
SURER = 0.1  # in the detector's score; for an upright face the upright picture wins by about this much
UPRIGHT_DEG = 45.0  # a face that is tilted further in the turned picture stands straighter in the given one
WHOLE_FACE = (33, 263, 61, 291, 152)  # outer eye corners, mouth corners, chin
EDGE_SLACK = 0.02  # of the face: how far the mesh may err
EQUAL_SIZE = 0.8  # a second face at least this large beside the first: nobody leads


@dataclass(frozen=True)
class FaceCheck:
    """What admission saw: the leading face's longer edge in pixels, its pose in degrees, remarks."""

    side_px: float
    pose: Pose
    notes: tuple[str, ...] = ()


def check_face(frame: Frame, landmarker: Landmarker | None = None, *, shrunk: float = 1.0) -> FaceCheck:
    """Admit an RGB uint8 [H, W, 3] picture that shows one leading face, whole.

    `shrunk` tells how many times larger the picture really is: sizes are told in its own pixels. Raises
    FaceRefused when there is no face, when two are equally large, or when the leading face is cut by the
    picture's edge, too small or turned too far away. Pass a `landmarker` to save its loading (about 50 ms).
    """
    landmarker = landmarker or Landmarker()
    if (seen := look_at(frame, landmarker, shrunk=shrunk)) is None:
        width, height = (round(side * shrunk) for side in (frame.shape[1], frame.shape[0]))
        raise FaceRefused(
            f"No face was found in a picture of {width}x{height} pixels. "
            f"Use a picture or clip in which one face of at least {MIN_FACE_PX} px looks into the camera."
        )
    return seen


def look_at(frame: Frame, landmarker: Landmarker, *, shrunk: float = 1.0) -> FaceCheck | None:
    """Like `check_face`, but None where there is no face."""
    faces = landmarker.faces(frame, thorough=True)
    if faces:
        refuse_rivals(faces, shrunk)
        refuse_small(faces[0].side * shrunk)
        _refuse_covered(frame, faces[0].landmarks, landmarker)
    _refuse_sideways(frame, faces, landmarker)
    if not faces:
        _refuse_cut_beyond_sight(frame, landmarker)
        return None
    _refuse_cut(faces[0].landmarks, frame.shape)
    turned = pose(faces[0].landmarks)
    _refuse_turned(turned)
    notes = (note_on_others(faces), _note_on_colour(frame, faces[0].landmarks))
    return FaceCheck(faces[0].side * shrunk, turned, tuple(note for note in notes if note))


def refuse_rivals(faces: list[Face], shrunk: float = 1.0) -> None:
    """Raise FaceRefused unless the first (largest) face clearly leads."""
    if len(faces) > 1 and faces[1].side >= EQUAL_SIZE * faces[0].side:
        sizes = " and ".join(f"{face.side * shrunk:.0f} px at {_place(face, shrunk)}" for face in faces[:2])
        raise FaceRefused(
            f"Two faces are about equally large: {sizes}. The second must be smaller than {EQUAL_SIZE:.0%} "
            "of the first. Use a picture or clip of one person, or crop it to one."
        )


def refuse_small(side_px: float) -> None:
    """Raise FaceRefused for a face whose longer edge is under the limit."""
    if side_px < MIN_FACE_PX:
        raise FaceRefused(
            f"The face is {side_px:.0f} px high; at least {MIN_FACE_PX} px are needed. "
            "Use a closer shot or a picture of higher resolution."
        )


def note_on_others(faces: list[Face]) -> str | None:
    """A remark on faces beside the leading one, or None; without figures: the track tells the same."""
    return "Smaller faces beside the leading one stay as they are." if faces[1:] else None


def _note_on_colour(frame: Frame, landmarks: Array) -> str | None:
    """A remark on a face in which no mask would have been noticed, or None."""
    if not colourless(frame, landmarks):
        return None
    return "The face has hardly any colour: whether its mouth is covered was judged for hands alone."


def _refuse_covered(frame: Frame, landmarks: Array, landmarker: Landmarker) -> None:
    """Raise FaceRefused for a covered mouth; asked first: the detector is unsure how such a face stands."""
    what = "something, a mask or a microphone" if mouth_covered(frame, landmarks) else None
    if what or landmarker.hands.before_mouth(frame, landmarks):
        raise FaceRefused(f"The mouth is covered by {what or 'a hand'}. Use a picture or clip that shows it.")


def _refuse_cut(landmarks: Array, shape: tuple[int, ...]) -> None:
    """Raise FaceRefused for a mesh whose eyes, mouth or chin lie beyond a picture of this shape."""
    if _is_cut(landmarks, shape):
        raise FaceRefused(
            "The face is cut by the edge of the picture. Use one that shows the eyes, the mouth and the chin."
        )


def _is_cut(landmarks: Array, shape: tuple[int, ...]) -> bool:
    points = landmarks[WHOLE_FACE, :2]
    slack = EDGE_SLACK * mesh_side(landmarks)
    limit = np.array([shape[1] - 1, shape[0] - 1])
    return bool(np.any(points < -slack) or np.any(points > limit + slack))


def _refuse_cut_beyond_sight(frame: Frame, landmarker: Landmarker) -> None:
    """Raise FaceRefused for a cut face of which too little is seen: looked for again with room around it.

    A mirror at the edge completes a face that is cut lengthwise; plain room serves the others.
    """
    scale = min(1.0, TURN_CHECK_PX / min(frame.shape[:2]))
    view = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    room = max(view.shape[:2]) // 2
    for border in (cv2.BORDER_REFLECT, cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE):
        roomy = np.asarray(cv2.copyMakeBorder(view, room, room, room, room, border), np.uint8)
        for face in landmarker.faces(roomy)[:1]:
            _refuse_cut(face.landmarks - np.array([room, room, 0], np.float32), view.shape)


def _refuse_turned(turned: Pose) -> None:
    limits = (("sideways", turned.yaw, MAX_YAW_DEG), ("up or down", turned.pitch, MAX_PITCH_DEG))
    for name, angle, limit in limits:
        if abs(angle) > limit:
            raise FaceRefused(
                f"The face is turned {name} by {abs(angle):.0f} degrees; at most {limit:.0f} are allowed. "
                "Use a picture that looks into the camera."
            )
    if abs(turned.roll) > MAX_ROLL_DEG:
        raise FaceRefused(
            f"The head is tilted by {abs(turned.roll):.0f} degrees; at most {MAX_ROLL_DEG:.0f} are allowed. "
            "Rotate the picture upright."
        )


def _refuse_sideways(frame: Frame, faces: list[Face], landmarker: Landmarker) -> None:
    """Raise FaceRefused when the detector is surer of a whole face in the picture turned by quarters.

    The networks know turned heads a little: on a picture upside down they may place a mesh, but badly.
    """
    view = _surroundings(frame, faces[0]) if faces else frame
    scale = min(1.0, TURN_CHECK_PX / min(view.shape[:2]))
    view = np.asarray(cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    seen = [_surest(np.ascontiguousarray(np.rot90(view, -turns)), landmarker, turns) for turns in range(4)]
    scores = [face.detection.score if face else 0.0 for face in seen]
    best = int(np.argmax(scores))
    lying = seen[best]
    if lying and scores[best] > scores[0] + SURER and abs(pose(lying.landmarks).roll) < UPRIGHT_DEG:
        by = ("", "90 degrees clockwise", "180 degrees", "90 degrees counter-clockwise")[best]
        raise FaceRefused(f"The face does not stand upright. Rotate the picture or clip by {by}.")


def _surest(view: Frame, landmarker: Landmarker, turns: int) -> Face | None:
    whole = [face for face in landmarker.faces(view) if not turns or not _is_cut(face.landmarks, view.shape)]
    return max(whole, key=lambda face: face.detection.score, default=None)


def _surroundings(frame: Frame, face: Face) -> Frame:
    """The frame within two face sizes of the face's middle."""
    low = np.maximum(face.landmarks[:, :2].mean(axis=0) - 2 * face.side, 0).astype(int)
    high = low + int(4 * face.side)
    return frame[low[1] : high[1], low[0] : high[0]]


def _place(face: Face, shrunk: float) -> str:
    x, y = face.landmarks[:, :2].mean(axis=0) * shrunk
    return f"({x:.0f}, {y:.0f})"
