"""Do the lips of a finished video follow what they were told? Cheap enough for every render."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.face import track_faces
from avatarlab_ops.engines.lipsync.curves import drive, lip_gap_target
from avatarlab_ops.engines.lipsync.measure import lip_gap, lip_sync_measure
from avatarlab_ops.errors import FaceRefused
from avatarlab_ops.media.footage import Footage, open_footage
from avatarlab_ops.timeline import Timeline

WINDOW_S = 3.0  # r of any 3 s stays within .02 of the whole video's; short enough for every render
WINDOWS = 3  # beginning, middle and end, so that drift shows
SIDE_PX = 720
GOOD_R = 0.6  # lips of another script score below
# People's own lips are up to 56 ms late by the curve. In 3 s a lag is read to 60 ms where r is GOOD_R, to 25
# where it is .85 (99 of 100 windows, 15 to 50 frames a second).
GOOD_LAG_S = 0.08
MOVES = 0.015  # standard deviation of the curve in eye distances; speech has .023 and more, silence 0


@dataclass(frozen=True)
class _Window:
    """What was measured from `at_s` on; a positive lag: the lips are late."""

    at_s: float
    length_s: float
    r: float
    lag_s: float


def lip_sync(video: Path, timeline: Timeline, *, fps: float) -> dict[str, Any]:
    """The least correlation of the re-detected lip gap with the drive curve, and the largest lag, in ms.

    Of the windows looked at in which something is said. Lips that follow badly, late or early give a warning,
    and so does a window in which no face can be found. What comes after the speech is not looked at.
    """
    target = lip_gap_target(drive(timeline, float(fps)))
    found: list[_Window] = []
    refused: list[tuple[float, FaceRefused]] = []
    with open_footage(video, fps=float(fps), max_short_side_px=SIDE_PX) as footage:
        for first, last in _spoken(target[: len(footage)], round(WINDOW_S * fps)):
            try:
                found.append(_measured(footage, target, first, last))
            except FaceRefused as error:
                refused.append((first / fps, error))
    if not found:
        why = refused[0][1] if refused else "little is said where they are looked at"
        return {"warnings": [f"the lips were not measured: {why}"]}
    worst = min(found, key=lambda one: one.r)
    off = max((one for one in found if one.r >= GOOD_R), key=lambda one: abs(one.lag_s), default=worst)
    return {
        "lip_gap_r": round(worst.r, 3),
        "lip_lag_ms": round(off.lag_s * 1000, 1),
        "lips_measured_s": sum(one.length_s for one in found),
        "warnings": [*_on_following(worst), *_on_lag(off), *_on_refused(refused)],
    }


def _spoken(target: NDArray[np.float32], length: int) -> Iterator[tuple[int, int]]:
    """The windows of a video in which the lips have something to follow."""
    for first, last in windows(len(target), length):
        if float(target[first:last].std()) >= MOVES:
            yield first, last


def windows(frames: int, length: int) -> list[tuple[int, int]]:
    """Up to WINDOWS stretches [first, last) spread over a video; a short one is looked at whole.

    >>> windows(100, 40), windows(1000, 100)
    ([(0, 100)], [(0, 100), (450, 550), (900, 1000)])
    """
    if frames <= WINDOWS * length:
        return [(0, frames)]
    starts = np.linspace(0, frames - length, WINDOWS).astype(int)
    return [(int(start), int(start) + length) for start in starts]


def _measured(footage: Footage, target: NDArray[np.float32], first: int, last: int) -> _Window:
    """Correlation and lag in one window. Raises FaceRefused where it shows no face."""
    frames = (footage[index] for index in range(first, last))
    track = track_faces(frames, fps=footage.fps, width=footage.width, height=footage.height, covering=False)
    r, lag_s = lip_sync_measure(lip_gap(track.landmarks), target[first:last], footage.fps)
    return _Window(first / footage.fps, (last - first) / footage.fps, r, lag_s)


def _on_following(worst: _Window) -> list[str]:
    if worst.r >= GOOD_R:
        return []
    return [
        f"The lips follow the speech badly from {worst.at_s:.0f} s on: r {worst.r:.2f}, and {GOOD_R} is good."
    ]


def _on_lag(off: _Window) -> list[str]:
    """Told only of lips that follow: the lag of others says nothing."""
    if off.r < GOOD_R or abs(off.lag_s) <= GOOD_LAG_S:
        return []
    side = "late" if off.lag_s > 0 else "early"
    return [
        f"The lips are {abs(off.lag_s) * 1000:.0f} ms {side} from {off.at_s:.0f} s on; up to "
        f"{GOOD_LAG_S * 1000:.0f} ms is good."
    ]


def _on_refused(refused: list[tuple[float, FaceRefused]]) -> list[str]:
    return [f"the lips were not measured from {at_s:.0f} s on: {error}" for at_s, error in refused]
