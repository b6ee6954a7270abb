"""How a head is turned, read off its mesh."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RIGHT_EYE, LEFT_EYE = 33, 263  # outer corners, the person's own right and left
FOREHEAD, CHIN = 10, 152


class Pose(NamedTuple):
    """Degrees; all zero for an upright face that looks into the camera.

    yaw: positive towards the right edge of the picture; pitch: positive downwards; roll: positive clockwise.
    """

    yaw: float
    pitch: float
    roll: float


def pose(landmarks: NDArray[np.float32]) -> Pose:
    """Pose of a mesh float32 [478, 3] in pixels, from the eye axis and the line from forehead to chin."""
    across = landmarks[LEFT_EYE] - landmarks[RIGHT_EYE]
    down = landmarks[CHIN] - landmarks[FOREHEAD]
    return Pose(_depth_angle(across), _depth_angle(down), math.degrees(math.atan2(across[1], across[0])))


def _depth_angle(axis: NDArray[np.float32]) -> float:
    return math.degrees(math.atan2(axis[2], math.hypot(axis[0], axis[1])))
