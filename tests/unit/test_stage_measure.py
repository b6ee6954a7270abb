"""The lips of a finished video, measured where drift would show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from lip_faces import SPOKEN, timeline
from media_samples import encode, packaged

from avatarlab_ops.stages.measure import WINDOW_S, lip_sync, windows


@pytest.mark.parametrize("seconds", [1, 10, 19, 60, 600])
def test_beginning_middle_and_end_are_looked_at(seconds: int) -> None:
    looked_at = windows(seconds * 25, round(WINDOW_S * 25))
    assert looked_at[0][0] == 0
    assert looked_at[-1][1] == seconds * 25
    assert sum(last - first for first, last in looked_at) <= 3 * WINDOW_S * 25
    if seconds > 18:
        first, last = looked_at[1]
        assert first < seconds * 12.5 < last


def test_lips_that_do_not_follow_are_told(tmp_path: Path) -> None:
    """A face that never opens its mouth while words are spoken."""
    face = cv2.imread(str(packaged("scikit-image", "astronaut.png")))[..., ::-1]
    small = np.ascontiguousarray(cv2.resize(face, (256, 256), interpolation=cv2.INTER_AREA))
    video = encode(tmp_path / "mute.mp4", (small for _ in range(50)))
    found = lip_sync(video, timeline(SPOKEN * 3), fps=25)
    assert found["lip_gap_r"] < 0.6
    assert found["warnings"][0].startswith("The lips follow the speech badly from 0 s on: r ")
