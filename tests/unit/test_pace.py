"""Turns: so many for each caller within a time, and one more as soon as the oldest has passed."""

from __future__ import annotations

from avatarlab_web.pace import Pace


def test_turns_are_each_callers_own_and_come_back_with_time() -> None:
    at = [0.0]
    pace = Pace(2, 60.0, lambda: at[0])
    assert [pace.take("ann"), pace.take("ann"), pace.take("ben")] == [0.0, 0.0, 0.0]
    at[0] = 20.0
    assert pace.take("ann") == 40.0
    at[0] = 60.0
    assert (pace.take("ann"), pace.take("ann")) == (0.0, 0.0)
    assert pace.take("ann") == 60.0


def test_a_turn_that_came_to_nothing_is_given_back_once() -> None:
    pace = Pace(1, 60.0, lambda: 0.0)
    pace.give_back("ann")  # who took none has one, not two
    assert pace.take("ann") == 0.0
    pace.give_back("ann")
    assert pace.take("ann") == 0.0
    assert pace.take("ann") == 60.0
