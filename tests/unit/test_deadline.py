"""A stage that takes far too long is ended, whether it reports or not."""

from __future__ import annotations

import threading

import pytest

from avatarlab_ops.errors import StageTimeout
from avatarlab_ops.stages.deadline import Deadline


def test_a_report_after_the_budget_ends_the_stage() -> None:
    Deadline("matte", 3600).check()
    with pytest.raises(StageTimeout, match="matte took more than"):
        Deadline("matte", -1).check()


def test_a_stage_that_reports_nothing_is_ended() -> None:
    with pytest.raises(StageTimeout, match="lipsync"), Deadline("lipsync", 0.1).alarm():
        threading.Event().wait()  # for ever


def test_work_in_time_is_left_alone() -> None:
    with Deadline("speech", 3600).alarm():
        pass
