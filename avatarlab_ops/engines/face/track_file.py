"""Face tracks on disk: one .npz, no pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avatarlab_ops.engines.base import FaceTrack


def save_track(path: Path, track: FaceTrack) -> None:
    """Write `track` to `path` (.npz); equal tracks give equal bytes.

    One without a covered mouth has the bytes that it had before these were told apart, so that what was made
    from it is found again; `present` leaves them out for code that does not know `covered`.
    """
    covered = {} if track.covered is None else {"covered": track.covered}
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            landmarks=track.landmarks,
            present=track.present,
            size=np.array([track.width, track.height]),
            fps=np.array(track.fps),
            notes=np.array(track.notes, dtype=np.str_),
            allow_pickle=False,
            **covered,
        )


def load_track(path: Path) -> FaceTrack:
    """Read what save_track wrote; OSError, ValueError or KeyError when the file is no such track."""
    with np.load(path, allow_pickle=False) as data:
        width, height = (int(edge) for edge in data["size"])
        notes = tuple(str(note) for note in data["notes"])
        return FaceTrack(
            data["landmarks"], data["present"], width, height, float(data["fps"]), notes,
            data.get("covered"),
        )  # fmt: skip
