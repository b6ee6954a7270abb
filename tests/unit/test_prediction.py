"""What a narrated video will take: its length is known before anything is made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from plans import a_plan

from avatarlab_ops.graph import LIPSYNC, SPEECH
from avatarlab_ops.plan import Source
from avatarlab_ops.renders import prediction, status
from avatarlab_ops.stores.catalog.tables import Rate, StageRun

SLOW_S = 90.0  # of reading a script of three characters
SOUND = Source(
    uri="s3://inputs/n.wav", sha256="b" * 64, bytes=9, kind="audio", width=0, height=0, duration_s=SLOW_S
)


def test_a_narration_is_as_long_as_it_is() -> None:
    plan = a_plan().model_copy(update={"narration": SOUND})
    found = prediction.predict([], plan, {})["lipsync"]
    assert found == pytest.approx(prediction.seconds([], prediction.work(LIPSYNC, plan, SLOW_S)), abs=1e-3)
    assert found > 20 * prediction.predict([], a_plan(), {})["lipsync"]


def test_what_a_long_narration_may_take_follows_from_its_length() -> None:
    plan = a_plan().model_copy(update={"narration": SOUND})
    job = prediction.work(LIPSYNC, plan, 1.0)
    one = Rate(
        stage="lipsync", engine=job.engine, side_px=job.side_px, n=1, x=25.0, y=100.0, xx=625.0, xy=2500.0
    )
    assert prediction.budget_s([one], LIPSYNC, plan, {}) == pytest.approx(10 * 100 * SLOW_S, rel=0.3)


def test_words_that_only_a_recording_tells_take_the_time_of_speaking_them() -> None:
    written = a_plan(script="x" * 1200).model_copy(update={"narration": SOUND})
    unwritten = written.model_copy(update={"script": ()})
    found = prediction.predict([], unwritten, {})
    assert found["speech"] == pytest.approx(prediction.predict([], written, {})["speech"], rel=0.2)
    measured = Rate(stage="speech", engine="hibari", side_px=0, n=1, x=100.0, y=100.0, xx=1e4, xy=1e4)
    assert prediction.budget_s([measured], SPEECH, unwritten, {}) > 10_000


def test_listening_that_has_ended_is_no_longer_expected() -> None:
    predicted = {"listen": 600.0, "speech": 5.0}
    ended = status.ended({"listen": StageRun(state="done"), "speech": StageRun(state="running")})
    left = status.expected(predicted, None, (), ended)["expected_end"] - datetime.now(UTC)
    assert left.total_seconds() < 60
