"""The lips of a finished video, measured where drift would show."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from lip_faces import SPOKEN, paste, speech, timeline, track_of
from media_samples import encode, packaged

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.lipsync.viseme_warp import VisemeWarp
from avatarlab_ops.progress import silent
from avatarlab_ops.stages.measure import WINDOW_S, lip_sync, windows

FPS = 15.0
SHORT = SPOKEN[:21]
PAUSED = SHORT + ["sil"] * 28 + SHORT  # 2.9 s of words on either side of 3.9 s of silence
CARD = 45  # frames: three seconds


@cache
def face() -> Frame:
    large = cv2.imread(str(packaged("scikit-image", "astronaut.png")))[..., ::-1]
    return np.ascontiguousarray(cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA))


def spoken(names: list[str], each_s: float = 0.14) -> list[Frame]:
    """The face as it says these visemes."""
    patches = VisemeWarp().patches(
        [face()], track_of([face()]), speech(names, each_s), fps=FPS, seed=1, head_motion=False, report=silent
    )
    return [paste(face(), patch) for patch in patches]


@cache
def paused() -> list[Frame]:
    return spoken(PAUSED)


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
    video = encode(tmp_path / "mute.mp4", (face() for _ in range(50)))
    found = lip_sync(video, timeline(SPOKEN * 3), fps=25)
    assert found["lip_gap_r"] < 0.6
    assert found["warnings"][0].startswith("The lips follow the speech badly from 0 s on: r ")


def test_lips_that_drift_are_told(tmp_path: Path) -> None:
    """The longer it lasts the later they are: 0.4 s at the end of ten."""
    names = (SPOKEN * 4)[:72]
    frames = spoken(names, 0.14 * 1.04)[: round(len(names) * 0.14 * FPS)]
    found = lip_sync(encode(tmp_path / "drift.mp4", frames, fps=int(FPS)), timeline(names), fps=FPS)
    assert found["lip_gap_r"] > 0.6
    assert found["lip_lag_ms"] == pytest.approx(340, abs=50), "of the last three seconds"
    (warning,) = found["warnings"]
    assert "ms late from 7 s on; up to 80 ms is good." in warning


def test_silence_says_nothing_of_the_lips(tmp_path: Path) -> None:
    video = encode(tmp_path / "paused.mp4", paused(), fps=int(FPS))
    found = lip_sync(video, timeline(PAUSED), fps=FPS)
    assert found["lip_gap_r"] > 0.8
    assert abs(found["lip_lag_ms"]) < 50
    assert found["warnings"] == []
    assert found["lips_measured_s"] == 2 * WINDOW_S
    hushed = lip_sync(video, timeline(["sil"] * len(PAUSED)), fps=FPS)
    assert hushed == {"warnings": ["the lips were not measured: little is said where they are looked at"]}


def test_lips_before_an_end_card_are_measured(tmp_path: Path) -> None:
    card = [np.full_like(face(), 30)] * CARD
    found = lip_sync(
        encode(tmp_path / "card.mp4", [*paused(), *card], fps=int(FPS)), timeline(PAUSED), fps=FPS
    )
    assert found["lip_gap_r"] > 0.8
    assert found["warnings"] == []


def test_a_window_without_a_face_leaves_the_others_measured(tmp_path: Path) -> None:
    gone = [*paused()[:-CARD], *[np.full_like(face(), 30)] * CARD]
    found = lip_sync(encode(tmp_path / "gone.mp4", gone, fps=int(FPS)), timeline(PAUSED), fps=FPS)
    assert found["lip_gap_r"] > 0.8
    (warning,) = found["warnings"]
    assert warning.startswith(
        "the lips were not measured from 7 s on: No face was found in any of the 45 frames"
    )


def test_lips_that_nobody_finds_are_not_measured(tmp_path: Path) -> None:
    video = encode(tmp_path / "nobody.mp4", [np.full_like(face(), 30)] * 20)
    found = lip_sync(video, timeline(SPOKEN[:10]), fps=25)
    assert list(found) == ["warnings"], "no figure"
    assert found["warnings"][0].startswith("the lips were not measured: No face was found in any of the")
