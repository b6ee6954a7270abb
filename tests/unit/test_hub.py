"""What streams are told: at once after a rest, at most twice a second, an end always."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from avatarlab_web.hub import COALESCED_S, Coalescing

from avatarlab_ops.renders.standing import Standing
from avatarlab_ops.renders.status import StageStatus
from avatarlab_ops.stores.catalog.tables import Render


def stands(done: int, **changed: Any) -> Standing:
    render = Render(id="r", **{"state": "running"} | changed)
    stage = StageStatus("speech", "running", 1, 0.0, done, 9, "frames", 1.0, None, None)
    return Standing(render, (stage,), None)


def told(at_and_found: list[tuple[float, Standing]]) -> list[Any]:
    looks = Coalescing()
    shown = [looks.coalesced(at, [one])[0] for at, one in at_and_found]
    return [(one.render.state, one.stages[0].done) for one in shown]


def test_what_changes_after_a_rest_is_told_at_once_and_what_follows_waits_half_a_second() -> None:
    times = [0.0, 1.0, 1.2, 1.4, 1.0 + COALESCED_S, 1.6]
    found = [stands(number) for number in range(6)]
    assert [done for _, done in told(list(zip(times, found, strict=True)))] == [0, 1, 1, 1, 4, 4]


def test_an_end_is_never_held_back() -> None:
    looks = [(0.0, stands(1)), (0.1, stands(2)), (0.2, stands(3, state="published"))]
    assert told(looks) == [("running", 1), ("running", 1), ("published", 3)]


def test_who_awaits_approval_is_told_of_at_once() -> None:
    looks = Coalescing()
    looks.coalesced(0.0, [stands(1)])
    now = looks.coalesced(0.1, [stands(1, approval_asked_at=datetime.now(UTC))])
    assert now[0].render.awaits_approval
