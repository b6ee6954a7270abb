"""What is told of footage whose mouth or face cannot be seen throughout."""

from __future__ import annotations

import numpy as np
import pytest

from avatarlab_ops.engines.base import FaceTrack
from avatarlab_ops.errors import FaceRefused
from avatarlab_ops.stages.lipsync import told


def track(without: int, covered: int) -> FaceTrack:
    """Of 100 frames: first those without a face, then those with a covered mouth."""
    hidden = np.arange(100) < without + covered
    behind = hidden & (np.arange(100) >= without)
    return FaceTrack(np.zeros((100, 478, 3), np.float32), ~hidden, 640, 360, 25.0, (), behind)


def test_missing_faces_and_covered_mouths_are_counted_and_told_apart() -> None:
    found = told(track(10, 35), 100, 25.0)
    assert (found["frames_without_face"], found["frames_with_covered_mouth"]) == (10, 35)
    assert found["warnings"] == [
        "No face in 0.4 of 4.0 s: the source stays as it is there.",
        "The mouth is covered in 1.4 of 4.0 s: the source stays as it is there.",
    ]
    (covering,) = told(track(0, 20), 100, 25.0)["warnings"]
    assert covering.startswith("The mouth is covered in 0.8 of 4.0 s")
    assert told(track(0, 0), 100, 25.0) == {"frames_without_face": 0, "warnings": []}


@pytest.mark.parametrize(
    ("without", "covered", "what"),
    [
        (60, 0, "no face in 2.4 of"),
        (0, 60, "a covered mouth in 2.4 of"),
        (30, 30, "no face in 1.2 and a covered mouth in 1.2 of"),
    ],
)
def test_footage_that_shows_no_mouth_most_of_the_time_is_refused_by_its_own_reason(
    without: int, covered: int, what: str
) -> None:
    with pytest.raises(FaceRefused, match=rf"^The footage shows {what} the 4\.0 s that the video needs\."):
        told(track(without, covered), 100, 25.0)
