"""Which part of a face is looked at and which is repainted. Landmarks: the 68 of 300-W, in pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy

Points = NDArray[np.floating]

JAW_LEFT, CHIN, JAW_RIGHT = 6, 8, 10
INNER_BROW, NOSE_TIP = 21, 30
BELOW_CHIN = 5  # px
MARGIN = 0.6  # of the face's size, added around it
NORMAL = 127.5  # uint8 to -1..1


def square_crop(boxes: NDArray[np.floating], width: int, height: int) -> tuple[int, int, int]:
    """The square that holds a face through a whole clip: left, top and side in px.

    boxes [n, 4]: left, top, right, bottom of the face in some of the frames of width x height.
    """
    centre_x, centre_y = (
        np.median((boxes[:, 0] + boxes[:, 2]) / 2),
        np.median((boxes[:, 1] + boxes[:, 3]) / 2),
    )
    face = max(np.median(boxes[:, 2] - boxes[:, 0]), np.median(boxes[:, 3] - boxes[:, 1]))
    side = int(min(face * (1 + MARGIN), width, height))
    left = int(np.clip(centre_x - side / 2, 0, width - side))
    top = int(np.clip(centre_y - side / 2, 0, height - side))
    return left, top, side


def corners(landmarks: Points, top: int) -> NDArray[np.float64]:
    """Outline [5, 2] of the face between the jaws, from landmark `top` down to below the chin."""
    left, right = landmarks[JAW_LEFT], landmarks[JAW_RIGHT]
    ceiling = landmarks[top, 1]
    chin = landmarks[CHIN] + (0, BELOW_CHIN)
    return np.array([(left[0], ceiling), (right[0], ceiling), right, chin, left], np.float64)


def lower_face(landmarks: Points, size: int, top: int) -> NDArray[np.bool_]:
    """Mask [size, size] of the face between the jaws, from landmark `top` down to below the chin."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [corners(landmarks, top).astype(np.int32)], 1)
    return cv2.dilate(mask, np.ones((5, 5), np.uint8), iterations=4).astype(bool)


def latent_crop(frame: NDArray[np.uint8], landmarks: Points) -> NDArray[np.uint8]:
    """What the encoder sees of a square frame [S, S, 3]: from the brows down, black around, [S, S, 3].

    The last row and column of the mask's box are left out, as they were in training.
    """
    size = frame.shape[0]
    mask = lower_face(landmarks, size, INNER_BROW)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.s_[rows[0] : rows[-1], columns[0] : columns[-1]]
    crop = (frame * mask[..., None].astype(np.uint8))[box]
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_NEAREST).astype(np.uint8)


def keep_mask(landmarks: Points, size: int) -> Tensor:
    """float32 [1, size, size]: 0 where the mouth is repainted (from the nose tip down), 1 elsewhere."""
    return from_numpy(1 - lower_face(landmarks, size, NOSE_TIP).astype(np.float32))[None]


def to_tensor(frames: NDArray[np.uint8]) -> Tensor:
    """RGB uint8 [B, H, W, 3] to float32 [B, 3, H, W] in -1..1."""
    return from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2) / NORMAL - 1
