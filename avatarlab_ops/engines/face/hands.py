"""Does a hand hide the mouth? Google's palm detector and hand landmarks, around the mouth only.

The detector proposes one palm; the landmark network says whether that is a hand, and where its 21 joints lie.
"""

from __future__ import annotations

import cv2
import numpy as np

from avatarlab_ops.engines import weights
from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.face.crop import cropped, mesh_side, rotation
from avatarlab_ops.engines.face.detector import anchors
from avatarlab_ops.engines.tflite import Array, TfLite, sigmoid

PALM_FILE, HAND_FILE = "palm_detection_lite.tflite", "hand_landmark_full.tflite"
MIN_PALM = 0.2  # the detector also proposes chins and noses, so this only saves the second network's time
# Hands before the mouth of the test packages' clip score 0.94 and more, bare faces 0.84 at most.
MIN_HAND = 0.9
AROUND = 2.2  # edge of the square that is searched, in sizes of the face
HAND_SCALE, HAND_SHIFT = 2.6, 0.5  # from a palm's box to the hand's, towards the fingers (MediaPipe's graph)
FINGER = 0.04  # of the face's size: half a finger's breadth around the joints
MIN_POINTS = 2  # of the mouth behind the hand

_WRIST, _MIDDLE = 0, 2  # of a palm's seven points: where it begins, and the base of the middle finger
_MOUTH = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)  # outer lips


class HandFinder:
    """Looks for one hand before one mouth; not thread-safe."""

    def __init__(self) -> None:
        self._palm = TfLite(weights.path(PALM_FILE).read_bytes())
        self._hand = TfLite(weights.path(HAND_FILE).read_bytes())
        self._anchors = anchors((24, 2), (12, 6))

    def before_mouth(self, frame: Frame, mesh: Array) -> bool:
        """Whether a hand hides lips in RGB uint8 [H, W, 3], given the face's mesh float32 [478, 3]."""
        mouth, side = mesh[list(_MOUTH), :2], mesh_side(mesh)
        palm = self._palm_near(frame, mouth.mean(axis=0), side * AROUND)
        joints = None if palm is None else self._joints(frame, *palm)
        if joints is None:
            return False
        outline = cv2.convexHull(joints)
        inside = [cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in mouth]
        return sum(distance >= -FINGER * side for distance in inside) >= MIN_POINTS

    def _palm_near(self, frame: Frame, centre: Array, side: float) -> tuple[Array, float, Array] | None:
        """The likeliest palm: middle [2], edge of its box in pixels, direction of its fingers [2]."""
        size = self._palm.size[0]
        picture, to_frame = cropped(frame, centre, side, np.array([1, 0], np.float32), size)
        out = self._palm(picture)
        best = int(out["Identity_1"].argmax())
        if sigmoid(out["Identity_1"][best]).item() < MIN_PALM:
            return None
        row, anchor = out["Identity"][best], self._anchors[best] * size
        points = (row[4:].reshape(7, 2) + anchor) @ to_frame[:, :2].T + to_frame[:, 2]
        middle = (row[:2] + anchor) @ to_frame[:, :2].T + to_frame[:, 2]
        return middle, float(row[2:4].max()) * side / size, points[_MIDDLE] - points[_WRIST]

    def _joints(self, frame: Frame, middle: Array, edge: float, fingers: Array) -> Array | None:
        """Where the 21 joints lie, float32 [21, 2], or None where the network sees no hand."""
        across = rotation(fingers) @ np.array([0, 1], np.float32)  # the fingers point upward in the crop
        ahead = rotation(fingers) @ np.array([1, 0], np.float32)
        centre = np.asarray(middle + HAND_SHIFT * edge * ahead, np.float32)
        picture, to_frame = cropped(frame, centre, edge * HAND_SCALE, across, self._hand.size[0])
        out = self._hand(picture)
        if float(out["Identity_1"].item()) < MIN_HAND:
            return None
        joints = out["Identity"].reshape(21, 3)[:, :2] @ to_frame[:, :2].T + to_frame[:, 2]
        return np.asarray(joints, np.float32)
