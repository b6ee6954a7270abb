"""Lips of published videos follow a narration, with its script and without: slow, a minute a recording.

How it is measured: the face is found anew in the published frames, and the opening of its lips is correlated
with `kit.openness` of the published sound, which knows no words: loud where vowels are open. Even perfect
lips do not reach 1 by it, as a mouth also opens for quiet vowels and closes for loud consonants (the recorded
people's own lips reach .54 to .85 by it, at whatever lag suits them best); what the same recording reaches
with its script stands beside each figure.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from kit import film
from kit.consented import consented
from kit.openness import openness
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from avatarlab_ops import pipeline
from avatarlab_ops.engines.face import track_faces
from avatarlab_ops.engines.lipsync.measure import lip_gap, lip_sync_measure
from avatarlab_ops.fields import split_reference
from avatarlab_ops.media.sound import read_sound
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects

from . import material

FPS, HZ = 25, 24_000
RECORDED = {
    "sample_01": "Kids are talking by the door.", "sample_02": "Dogs are sitting by the door.",
    "sample_03": "Kids are talking by the door.", "sample_04": "Kids are talking by the door!",
}  # fmt: skip
FOLDERS = {"sample_01": "01", "sample_02": "01", "sample_03": "02", "sample_04": "02"}
Floats = NDArray[np.float32]


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
def test_lips_follow_a_recorded_person_with_and_without_the_script(
    name: str, stores: Settings, tmp_path: Path
) -> None:
    clip = metadata.distribution("pyfame").locate_file(f"pyfame/data/sample/{FOLDERS[name]}/{name}.mp4")
    heard = tmp_path / f"{name}.flac"
    soundfile.write(heard, read_sound(Path(str(clip)), HZ, max_s=10), HZ)
    consented(stores, heard, kind="voice")
    narration = material.upload(stores, f"lips/{name}.flac", heard)
    asked = {
        "avatar": {"uri": closed_mouth(stores)}, "narration": {"uri": narration},
        "captions": "none", "output": {"resolution": "360p", "aspect": "1:1", "fps": FPS},
        "motion": {"head": False, "blinks": False},
    }  # fmt: skip
    figures = []
    for words in ({"script": RECORDED[name]}, {}):
        made = pipeline.render(stores, asked | words)
        video = tmp_path / f"{len(words)}.mp4"
        objects(stores).download(
            *split_reference(made.files["video.mp4"]), video, sha256=None, max_bytes=1 << 30
        )
        figures.append(followed(video))
    (written, written_lag_s), (unwritten, lag_s) = figures
    print(
        f"{name}: with its script r {written:.3f}, lag {written_lag_s * 1000:.0f} ms; "
        f"without r {unwritten:.3f}, lag {lag_s * 1000:.0f} ms"
    )
    assert unwritten >= written - 0.05, "recognised words move the lips as written ones do"
    assert unwritten >= 0.75
    assert abs(lag_s) <= 0.08


def followed(video: Path) -> tuple[float, float]:
    """Correlation of the lips with the sound, and their lag in seconds."""
    frames = film.frames(video)
    height, width = frames[0].shape[:2]
    track = track_faces(frames, fps=float(FPS), width=width, height=height)
    wanted = openness(read_sound(video, HZ, max_s=60), HZ, float(FPS))[: len(track)]
    return lip_sync_measure(lip_gap(track.landmarks[: len(wanted)]), wanted, float(FPS))


def closed_mouth(stores: Settings) -> str:
    """The first frame of a speaker who has not begun."""
    capture = cv2.VideoCapture(str(material.located("pyfame", "sample_03.mp4")))
    picture = np.asarray(capture.read()[1], np.uint8)
    capture.release()
    return material.upload(stores, "lips/closed.png", material.png(picture[..., ::-1]))


def vowels(opened: list[float], *, step_s: float = 0.2) -> Floats:
    """A voice's sound whose first formant sweeps between closed (250 Hz) and open (800 Hz), step by step."""
    times = np.arange(round(step_s * HZ)) / HZ
    parts = []
    for share in opened:
        formant = 250 + 550 * share
        tones = (
            np.sin(2 * np.pi * f * times) / (1 + ((f - formant) / 120) ** 2) for f in range(110, 3000, 110)
        )
        parts.append(sum(tones))
    return np.asarray(0.1 * np.concatenate(parts), np.float32)


def test_openness_sees_open_vowels_late_lips_and_other_speech() -> None:
    drawn = np.random.default_rng(4).random(40).tolist()
    said = openness(vowels(drawn), HZ, float(FPS))
    lips = gaussian_filter1d(np.repeat(np.asarray(drawn, np.float32), round(0.2 * FPS)), 1.5)
    r, lag_s = lip_sync_measure(lips, said, float(FPS))
    assert r > 0.75
    assert abs(lag_s) < 0.02
    assert lip_sync_measure(np.roll(lips, 5), said, float(FPS))[1] == pytest.approx(0.2, abs=0.04)
    other = openness(vowels(np.random.default_rng(5).random(40).tolist()), HZ, float(FPS))
    assert lip_sync_measure(lips, other, float(FPS))[0] < 0.5
