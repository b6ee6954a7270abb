"""Is the mouth covered by something that is no skin: a mask, a microphone?

Bare lips stand out red from the skin beside them (in every picture and clip of the test packages by 2.7 units
of CIELAB's a or more), in light and shadow and in a beard alike. Where none do, and what is beside them has
neither the colour of cheeks and forehead nor their redness, something hides both. Painted lips may not stand
out, but leave the skin beside them free. A hand has the colour of the face: `hands.py` looks for it. In black
and white, or nearly so, there is nothing to see a mask by: `colourless` says so.
"""

from __future__ import annotations

import cv2
import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.tflite import Array

MAX_CHROMA = 14.0  # difference of a and b in CIELAB between what is beside the lips and the rest of the face
MAX_PALER = 6.0  # of a alone: black and grey lack red; bare skin of the test packages lacks at most 5.5
LIPS_RED = 3.0  # lips that are redder than what is beside them by this are lips
LEAST_CHROMA = 4.0  # of a face in CIELAB; coloured portraits of the test packages have 12 and more
REACH = 0.02  # of the face's height: half the edge of the squares whose colours are taken

_REST = (151, 108, 337, 9, 107, 336, 50, 280, 101, 330, 117, 346)  # forehead, cheeks
_BESIDE = (164, 167, 393, 18, 83, 313)  # skin next to the upper and the lower lip
_LIPS = (73, 72, 11, 302, 303, 404, 315, 16, 85, 180)  # the red of both, away from the corners


def mouth_covered(frame: Frame, mesh: Array) -> bool:
    """Whether something hides the mouth of a face in RGB uint8 [H, W, 3], given its mesh float32 [478, 3]."""
    rest, beside, lips = (_colours(frame, mesh, points) for points in (_REST, _BESIDE, _LIPS))
    if not (len(rest) and len(beside) and len(lips)):
        return False
    about = np.median(beside, axis=0)
    _, red, yellow = about - np.median(rest, axis=0)
    other = np.hypot(red, yellow) > MAX_CHROMA or red < -MAX_PALER
    return bool(other and lips[:, 1].max() - about[1] < LIPS_RED)


def colourless(frame: Frame, mesh: Array) -> bool:
    """Whether the face is black and white, or nearly so: `mouth_covered` then cannot tell."""
    seen = [_colours(frame, mesh, points) for points in (_REST, _BESIDE)]
    return all(len(one) and np.hypot(*np.median(one, axis=0)[1:]) < LEAST_CHROMA for one in seen)


def _colours(frame: Frame, mesh: Array, points: tuple[int, ...]) -> Array:
    """CIELAB colours, float32 [n, 3], of the face at some points of its mesh, those within the frame."""
    reach = max(1, round(REACH * float(np.ptp(mesh[:, 1]))))
    height, width = frame.shape[:2]
    squares = []
    for x, y in mesh[list(points), :2].round().astype(int):
        if 0 <= x < width and 0 <= y < height:
            square = frame[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
            squares.append(np.median(square.reshape(-1, 3), axis=0))
    colours = np.array(squares, np.float32).reshape(1, -1, 3) / np.float32(255)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[0] if squares else colours[0], np.float32)
