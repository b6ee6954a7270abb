"""Drive curves: what the mouth is asked to do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lip_faces import SPOKEN, timeline

from avatarlab_ops.engines.lipsync.curves import drive, lip_gap_target
from avatarlab_ops.timeline import VISEMES


@given(
    names=st.lists(st.sampled_from(VISEMES), max_size=25),
    each_s=st.floats(0.04, 0.4),
    fps=st.sampled_from([24.0, 25.0, 29.97, 30.0, 50.0, 60.0]),
)
@settings(max_examples=60, deadline=None)
def test_every_timeline_gives_one_sane_value_a_frame(names: list[str], each_s: float, fps: float) -> None:
    spoken = timeline(names, each_s)
    curves = drive(spoken, fps)
    assert len(curves) == max(1, round(spoken.duration_s * fps))
    for name, value in vars(curves).items():
        assert value.dtype == np.float32
        assert value.shape == (len(curves),)
        assert np.isfinite(value).all(), name
        assert value.min() >= 0, name
        assert value.max() <= (0.2 if name == "gap" else 1.0 + 1e-6), name


@given(
    before=st.sampled_from(["aa", "E", "oh", "ou", "kk", "sil"]),
    after=st.sampled_from(["aa", "E", "oh", "ih", "SS", "sil"]),
    each_s=st.floats(0.045, 0.3),
    fps=st.sampled_from([24.0, 25.0, 30.0, 60.0]),
)
@settings(max_examples=60, deadline=None)
def test_bilabials_close_fully_between_any_sounds(before: str, after: str, each_s: float, fps: float) -> None:
    spoken = timeline([before, "PP", after], each_s)
    gap = drive(spoken, fps).gap
    shown = (np.arange(gap.size) + 0.5) / fps
    nearest = int(np.abs(shown - 1.5 * each_s).argmin())
    assert gap[nearest] == pytest.approx(0, abs=1e-6)


def test_mouth_rests_in_silence_and_opens_widest_for_a_stressed_open_vowel() -> None:
    curves = drive(timeline(["sil"] * 8 + ["aa", "SS", "ih"] + ["sil"] * 8), 50.0)
    assert curves.gap[:40].max() < 0.004
    assert curves.gap[-40:].max() < 0.004
    loudest = int(curves.gap.argmax())
    assert abs((loudest + 0.5) / 50 - 8.5 * 0.14) < 0.06
    assert curves.gap.max() > 0.12


def test_neighbours_colour_each_other() -> None:
    """An s before ou is rounded beforehand, an s before E is spread: coarticulation."""
    before_ou = drive(timeline(["sil", "SS", "ou", "sil"]), 100.0)
    before_e = drive(timeline(["sil", "SS", "E", "sil"]), 100.0)
    middle_of_s = 21
    assert before_ou.rounding[middle_of_s] > before_e.rounding[middle_of_s] + 0.1
    assert before_e.spread[middle_of_s] > before_ou.spread[middle_of_s] + 0.1


def test_curves_have_no_jumps_between_frames() -> None:
    gap = lip_gap_target(drive(timeline(SPOKEN), 100.0))
    assert np.abs(np.diff(gap)).max() < 0.035  # 10 ms: faster lips would look like a flicker


def test_a_long_timeline_takes_little_time_and_reads_as_its_parts() -> None:
    once, often = drive(timeline(SPOKEN), 25.0), drive(timeline(SPOKEN * 40), 25.0)
    assert len(often) == pytest.approx(40 * len(once), abs=1)
    assert np.abs(often.gap[: len(once) - 15] - once.gap[:-15]).max() < 0.01
