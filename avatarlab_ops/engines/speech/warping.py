"""The path of least cost through states, one for each frame, that never goes back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_LEAST_POOLED = 4
_PACE = 2  # pooled states for each pooled frame, at most: a path goes 3 on
_STEPS = (0.05, 0.0, 0.05, 0.1)  # cost of going 0 to 3 states on: how much speeds may differ
_REST, _LOUD = 0.3, 2.0  # a rest where the frame is quiet, and where it is not


@dataclass(frozen=True)
class Pooled:
    """Sound and model with several frames in one; `states`: which state each of its states begins with."""

    factor: int
    heard: Floats
    quiet: Bools
    model: Floats
    rest: Bools
    states: Ints


def least_path(
    heard: Floats, quiet: Bools, model: Floats, rest: Bools, *, around: Ints | None = None, band: int = 0
) -> Ints | None:
    """The state of each frame, from the first state to the last; None where there are too few frames.

    Unit vectors: heard float32 [frames, n], model [states, n]. `rest`: states that like nothing but quiet
    frames. `around`: only states within `band` of these are looked at.
    """
    width = len(model) if around is None else min(len(model), 2 * band + 1)
    low = np.zeros(len(heard), int) if around is None else np.clip(around - band, 0, len(model) - width)
    came = np.zeros((len(heard), width), np.int8)
    total = np.full(width, np.inf, np.float32)
    total[:2] = 0  # begins with a rest or at once
    for frame, start in enumerate(low):
        states = slice(start, start + width)
        cost = np.where(rest[states], _REST if quiet[frame] else _LOUD, 1.0 - model[states] @ heard[frame])
        if frame:
            total, came[frame] = _onward(total, start - low[frame - 1])
        total = total + cost
    last = width - 1 - int(np.argmin(total[:-3:-1])) if low[-1] + width == len(model) else 0
    return _back(came, low, last) if np.isfinite(total[last]) else None


def _onward(total: Floats, shift: int) -> tuple[Floats, NDArray[np.int8]]:
    """Least cost of each state, and how many states it came from."""
    width, most = len(total), len(_STEPS) - 1
    padded = np.full(most + width + shift, np.inf, np.float32)
    padded[most : most + width] = total
    best, came = np.full(width, np.inf, np.float32), np.zeros(width, np.int8)
    for step, cost in enumerate(_STEPS):
        way = padded[most + shift - step :][:width] + np.float32(cost)
        came[way < best] = step
        np.minimum(best, way, out=best)
    return best, came


def _back(came: NDArray[np.int8], low: Ints, last: int) -> Ints:
    path = np.empty(len(came), np.int64)
    state = low[-1] + last
    for frame in range(len(came) - 1, -1, -1):
        path[frame] = state
        state -= came[frame, state - low[frame]]
    return path


def pooled(heard: Floats, quiet: Bools, model: Floats, rest: Bools, cells: int) -> Pooled:
    """At least four frames in one, and so many that frames times states are at most `cells`.

    Fewer where a path would have to hurry: each word and each rest stays a state of its own.
    """
    factor = max(_LEAST_POOLED, math.ceil(math.sqrt(len(heard) * len(model) / cells)))
    run = np.cumsum(np.diff(rest.astype(int), prepend=0) != 0)  # rests and words, numbered
    within = np.arange(len(rest)) - np.searchsorted(run, run)
    while factor > _LEAST_POOLED and np.count_nonzero(within % factor == 0) * factor > _PACE * len(heard):
        factor -= 1
    states = np.flatnonzero(within % factor == 0)
    frames = np.arange(0, len(heard), factor)
    return Pooled(
        factor,
        _means(heard, frames),
        np.logical_and.reduceat(quiet, frames),
        _means(model, states),
        rest[states],
        states,
    )


def _means(vectors: Floats, starts: Ints) -> Floats:
    sums = np.add.reduceat(vectors, starts, axis=0)
    return np.asarray(sums / (np.linalg.norm(sums, axis=1, keepdims=True) + 1e-6), np.float32)
