"""The arrays that engines and media hand each other: pictures, mattes, and what is repainted of a picture.

Frames are RGB uint8 [H, W, 3], contiguous; alpha is uint8 [H, W], 255 opaque.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Alpha = NDArray[np.uint8]
EYE_CORNERS = (33, 263)  # of MediaPipe's face mesh: outer corners of the person's right and left eye


@dataclass(frozen=True)
class Patch:
    """What lip-sync repaints in one output frame.

    rgb uint8 [h, w, 3] and alpha uint8 [h, w] lie with their top-left corner at (x, y) of source frame
    `source_index`; h and w are constant within a clip. alpha is all zero where the source stays as it is.
    `motion` float32 [2, 3] maps pixels of the patched frame to where they appear (identity: no motion).
    """

    source_index: int
    x: int
    y: int
    rgb: Frame
    alpha: Alpha
    motion: NDArray[np.float32]
