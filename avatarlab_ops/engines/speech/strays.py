"""Where a recording says more than the words it is laid beside: there the path waits until that is over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_STRETCH = 100  # frames of sound, 1 s, over which the means are taken
_UNLIKE = 0.65  # a stray is less alike than this
_SLOW = 0.5  # of the usual pace, and slower than so much of it


def strays(costs: Floats, quiet: Bools, path: Ints) -> list[tuple[int, int]]:
    """(first frame, the one after the last) of each stretch of about a second or more that follows no word.

    For each frame of the recording, 10 ms apart: the cosine distance from its state, whether it holds no
    speech, and its state. A silence between is no part of the second.
    """
    loud = np.flatnonzero(~quiet)
    if len(loud) < _STRETCH:
        return []
    unlike, pace = _means(costs[loud]), _means(np.diff(path, prepend=path[0])[loud])
    usual = np.percentile(pace, 75)  # a stray may be half of the recording
    found = np.flatnonzero((unlike > _UNLIKE) & (pace < _SLOW * usual))
    within = np.zeros(len(path) + 1, int)
    np.add.at(within, loud[found + _STRETCH // 4], 1)  # its middle: the rest may be the words beside it
    np.add.at(within, loud[found + 3 * _STRETCH // 4] + 1, -1)
    edges = np.flatnonzero(np.diff(np.cumsum(within) > 0, prepend=False))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def _means(values: NDArray[np.generic]) -> Floats:
    return np.asarray(np.convolve(values, np.full(_STRETCH, 1 / _STRETCH), "valid"), np.float32)
