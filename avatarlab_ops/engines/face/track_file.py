"""Face tracks on disk: one .npz, no pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import FaceTrack


def save_track(path: Path, track: FaceTrack) -> None:
    """Write `track` to `path` (.npz); equal tracks give equal bytes.

    One without a covered mouth, or without cuts, has the bytes that it had before these were told, so that
    what was made from it is found again; `present` leaves covered ones out for code that does not know them.
    """
    some: dict[str, NDArray[Any]] = {} if track.covered is None else {"covered": track.covered}
    if track.cuts:
        some["cuts"] = np.array(track.cuts)
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            landmarks=track.landmarks,
            present=track.present,
            size=np.array([track.width, track.height]),
            fps=np.array(track.fps),
            notes=np.array(track.notes, dtype=np.str_),
            allow_pickle=False,
            **some,
        )


def load_track(path: Path) -> FaceTrack:
    """Read what save_track wrote; OSError, ValueError or KeyError when the file is no such track."""
    with np.load(path, allow_pickle=False) as data:
        width, height = (int(edge) for edge in data["size"])
        notes = tuple(str(note) for note in data["notes"])
        return FaceTrack(
            data["landmarks"], data["present"], width, height, float(data["fps"]), notes,
            data.get("covered"), tuple(int(cut) for cut in data.get("cuts", ())),
        )  # fmt: skip
