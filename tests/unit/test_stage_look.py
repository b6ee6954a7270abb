"""What admission says of a clip in which it sees no face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from media_samples import encode, packaged

from avatarlab_ops.errors import FaceRefused
from avatarlab_ops.media import foreign
from avatarlab_ops.media.footage import Footage
from avatarlab_ops.plan import Source
from avatarlab_ops.stages import look as stage
from avatarlab_ops.stages.look import look

EMPTY_S, LENGTH_S = 5, 7


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of looking costs half a minute of computing: three seconds show the same."""
    monkeypatch.setattr(stage, "PATIENCE", 3)


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Source]:
    """An empty room, then a person."""
    large = cv2.imread(str(packaged("scikit-image", "astronaut.png")))[..., ::-1]
    face = np.ascontiguousarray(cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA))
    frames = [np.full_like(face, 128)] * EMPTY_S + [face] * (LENGTH_S - EMPTY_S)
    path = encode(tmp_path_factory.mktemp("late") / "late.mp4", frames, fps=1)
    return path, Source(
        uri="s3://inputs/late.mp4", sha256="a" * 64, bytes=path.stat().st_size,
        kind="video", width=256, height=256, duration_s=LENGTH_S,
    )  # fmt: skip


def test_a_face_after_what_was_looked_at_is_not_told_to_be_missing(late: tuple[Path, Source]) -> None:
    with pytest.raises(FaceRefused) as first:
        look(*late, None, None)
    assert "No face was found in its first 3 s, 256x256 pixels." in str(first.value)
    assert "avatar.start_s" in str(first.value)
    assert look(*late, EMPTY_S, None).face_px > 40, "as the sentence says"
    with pytest.raises(FaceRefused) as later:
        look(*late, 0.5, None)
    assert "No face was found in the 3 s from 0.5 s on, 256x256 pixels." in str(later.value)


def test_a_clip_that_was_looked_at_whole_is_told_so(late: tuple[Path, Source]) -> None:
    with pytest.raises(FaceRefused) as refusal:
        look(*late, None, 2.0)
    assert "No face was found in 256x256 pixels. Use a picture" in str(refusal.value)
    assert "start_s" not in str(refusal.value)


@pytest.mark.parametrize("seen", [True, False])
def test_a_short_part_is_judged_by_what_it_shows(tmp_path: Path, seen: bool) -> None:
    """Not by the frame a quarter into the next second, which is no part of it."""
    large = cv2.imread(str(packaged("scikit-image", "astronaut.png")))[..., ::-1]
    face = np.ascontiguousarray(cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA))
    nobody = np.full_like(face, 128)
    frames = [face if (36 <= tenth < 41) == seen else nobody for tenth in range(50)]
    path = encode(tmp_path / "short.mp4", frames, fps=10, gop=5)
    source = Source(
        uri="s3://inputs/short.mp4", sha256="c" * 64, bytes=1, kind="video", width=256, height=256,
        duration_s=5.0,
    )  # fmt: skip
    if seen:
        assert look(path, source, 3.6, 4.1).face_px > 40
    else:
        with pytest.raises(FaceRefused, match="No face was found"):
            look(path, source, 3.6, 4.1)


def test_a_part_between_two_seconds_is_judged_by_what_it_shows(tmp_path: Path) -> None:
    """Not by the second in which it begins, of which the frame that is looked at came before."""
    large = cv2.imread(str(packaged("scikit-image", "astronaut.png")))[..., ::-1]
    face = np.ascontiguousarray(cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA))
    frames = [face if tenth < 24 else np.full_like(face, 128) for tenth in range(50)]
    path = encode(tmp_path / "gone.mp4", frames, fps=10, gop=5)
    source = Source(
        uri="s3://inputs/gone.mp4", sha256="e" * 64, bytes=1, kind="video", width=256, height=256,
        duration_s=5.0,
    )  # fmt: skip
    with pytest.raises(FaceRefused, match="No face was found"):
        look(path, source, 2.5, 4.6)
    assert look(path, source, 0.5, 2.6).face_px > 40


def test_no_more_of_a_clip_is_opened_than_is_looked_at(
    late: tuple[Path, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where key pictures lie far apart, what is opened is copied."""
    opened, lengths = foreign.open_footage, list[int]()

    def counted(*args: Any, **kwargs: Any) -> Footage:
        footage = opened(*args, **kwargs)
        lengths.append(len(footage))
        return footage

    monkeypatch.setattr(foreign, "open_footage", counted)
    for start_s, end_s in ((None, None), (0.5, None), (0.0, 2.0)):
        with pytest.raises(FaceRefused):
            look(*late, start_s, end_s)
    assert lengths == [4, 3, 2], "of seven"


def test_a_smaller_face_beside_the_leading_one_is_told_before_any_work(tmp_path: Path) -> None:
    large = cv2.imread(str(packaged("scikit-image", "astronaut.png")))
    small = np.full((512, 320, 3), 128, np.uint8)
    small[:320] = cv2.resize(large, (320, 320), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "two.png"), np.hstack([large, small]))
    source = Source(
        uri="s3://inputs/two.png", sha256="b" * 64, bytes=1, kind="image", width=832, height=512
    )  # fmt: skip
    assert look(tmp_path / "two.png", source, None, None).notes == (
        "Smaller faces beside the leading one stay as they are.",
    )
