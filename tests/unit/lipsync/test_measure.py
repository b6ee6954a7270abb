"""The measure of lip-sync has to see lateness and disagreement."""

from __future__ import annotations

import numpy as np
import pytest
from lip_faces import SPOKEN, timeline

from avatarlab_ops.engines.lipsync.curves import drive
from avatarlab_ops.engines.lipsync.measure import lip_gap, lip_sync_measure

TARGET = drive(timeline(SPOKEN * 3), 25.0).gap


def test_a_perfect_copy_scores_one_without_lag() -> None:
    r, lag_s = lip_sync_measure(TARGET * 0.8 + 0.01, TARGET, 25.0)
    assert r == pytest.approx(1, abs=1e-6)
    assert lag_s == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("frames", [-3, -1, 2, 4])
def test_lag_is_found_with_its_sign(frames: int) -> None:
    r, lag_s = lip_sync_measure(np.roll(TARGET, frames), TARGET, 25.0)
    assert r > 0.99
    assert lag_s == pytest.approx(frames / 25, abs=0.012)


def test_another_script_scores_low() -> None:
    other = drive(timeline(SPOKEN[::-1] * 3), 25.0).gap
    assert lip_sync_measure(other, TARGET, 25.0)[0] < 0.6


def test_lips_that_do_not_move_score_zero() -> None:
    assert lip_sync_measure(np.zeros_like(TARGET), TARGET, 25.0) == (0.0, 0.0)
    assert lip_sync_measure(TARGET[:1], TARGET[:1], 25.0) == (0.0, 0.0)


def test_gap_does_not_depend_on_size_turn_or_place() -> None:
    face = np.random.default_rng(3).uniform(0, 200, (1, 478, 3)).astype(np.float32)
    turned = face.copy()
    turned[..., 0], turned[..., 1] = 5 - 2 * face[..., 1], 9 + 2 * face[..., 0]
    assert lip_gap(turned) == pytest.approx(lip_gap(face), rel=1e-4)
