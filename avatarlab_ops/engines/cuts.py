"""Where a clip changes its shot: state and smoothing must not cross a cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import Frame

GRID = (32, 18)  # cells the picture is averaged to: blind to noise and to small movement
MIN_CHANGE = 18.0  # mean change of a cell, 0..255; people moving in front of a camera stay below 10
MIN_JUMP = 4.0  # a cut beside the changes just before it, so that steady fast panning is no cut
MEMORY = 8  # frames


class CutDetector:
    """Tells, frame by frame, whether a new shot begins."""

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None
        self._changes: deque[float] = deque(maxlen=MEMORY)

    def is_cut(self, frame: Frame) -> bool:
        """Whether RGB uint8 [H, W, 3] `frame` starts a new shot; the first frame of a clip does not."""
        grid = cv2.resize(frame, GRID, interpolation=cv2.INTER_AREA).astype(np.float32)
        last, self._last = self._last, grid
        if last is None:
            return False
        change = float(np.abs(grid - last).mean())
        usual = float(np.mean(self._changes)) if self._changes else 0.0
        cut = change > max(MIN_CHANGE, MIN_JUMP * usual)
        if cut:
            self._changes.clear()
        else:
            self._changes.append(change)
        return cut


def stretches(present: NDArray[np.bool_], cuts: Collection[int]) -> list[tuple[int, int]]:
    """Runs of frames with a face, split at cuts, as [start, end)."""
    bounds = sorted(cuts)
    found = []
    for start, end in runs(present):
        edges = [start, *(cut for cut in bounds if start < cut < end), end]
        found += list(pairwise(edges))
    return found


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of True as [start, end).

    >>> runs(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
