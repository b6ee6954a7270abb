"""Do the lips of a finished video follow what they were told? Cheap enough for every render."""

from __future__ import annotations

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


def lip_sync(video: Path, timeline: Timeline, *, fps: float) -> dict[str, Any]:
    """Correlation of the re-detected lip gap with the drive curve, and the lips' lag in milliseconds.

    Both are those of the worst of the windows looked at; lips that follow badly, or a video in which no face
    can be found, give a warning.
    """
    target = lip_gap_target(drive(timeline, float(fps)))
    found: list[tuple[float, float, float]] = []
    try:
        with open_footage(video, fps=float(fps), max_short_side_px=SIDE_PX) as footage:
            looked_at = windows(len(footage), round(WINDOW_S * fps))
            for first, last in looked_at:
                found.append((*_measured(footage, target, first, last), first / fps))
    except FaceRefused as error:
        return {"warnings": [f"the lips were not measured: {error}"]}
    r, lag_s, at_s = min(found)
    return {
        "lip_gap_r": round(r, 3),
        "lip_lag_ms": round(lag_s * 1000, 1),
        "lips_measured_s": sum(last - first for first, last in looked_at) / fps,
        "warnings": _warnings(r, at_s),
    }


def windows(frames: int, length: int) -> list[tuple[int, int]]:
    """Up to WINDOWS stretches [first, last) spread over a video; a short one is looked at whole.

    >>> windows(100, 40), windows(1000, 100)
    ([(0, 100)], [(0, 100), (450, 550), (900, 1000)])
    """
    if frames <= WINDOWS * length:
        return [(0, frames)]
    starts = np.linspace(0, frames - length, WINDOWS).astype(int)
    return [(int(start), int(start) + length) for start in starts]


def _measured(footage: Footage, target: NDArray[np.float32], first: int, last: int) -> tuple[float, float]:
    """Correlation, and lag in seconds, in one window."""
    frames = (footage[index] for index in range(first, last))
    track = track_faces(frames, fps=footage.fps, width=footage.width, height=footage.height)
    wanted = target[first : first + len(track)]
    return lip_sync_measure(lip_gap(track.landmarks[: len(wanted)]), wanted, footage.fps)


def _warnings(r: float, at_s: float) -> list[str]:
    if r >= GOOD_R:
        return []
    return [f"The lips follow the speech badly from {at_s:.0f} s on: r {r:.2f}, and {GOOD_R} is good."]
