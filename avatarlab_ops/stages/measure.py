"""Do the lips of a finished video follow what they were told? Cheap enough for every render."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from avatarlab_ops.engines.face import track_faces
from avatarlab_ops.engines.lipsync.curves import drive, lip_gap_target
from avatarlab_ops.engines.lipsync.measure import lip_gap, lip_sync_measure
from avatarlab_ops.errors import FaceRefused
from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.timeline import Timeline

WINDOW_S = 6.0  # looked at from the start; long enough for a correlation, short enough for every render
SIDE_PX = 720


def lip_sync(video: Path, timeline: Timeline, *, fps: int) -> dict[str, Any]:
    """Correlation of the re-detected lip gap with the drive curve, and the lips' lag in milliseconds.

    A video in which no face can be found gives a warning instead.
    """
    count = round(WINDOW_S * fps)
    try:
        with open_footage(video, fps=float(fps), max_short_side_px=SIDE_PX) as footage:
            track = track_faces(
                islice(footage.iter(), count), fps=float(fps), width=footage.width, height=footage.height
            )
    except FaceRefused as error:
        return {"warnings": [f"the lips were not measured: {error}"]}
    target = lip_gap_target(drive(timeline, float(fps)))[: len(track)]
    r, lag_s = lip_sync_measure(lip_gap(track.landmarks[: len(target)]), target, float(fps))
    return {
        "lip_gap_r": round(r, 3),
        "lip_lag_ms": round(lag_s * 1000, 1),
        "lips_measured_s": len(track) / fps,
    }
