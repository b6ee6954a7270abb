"""A stage that takes far too long is ended, whether it reports or not."""

from __future__ import annotations

import socket
import threading

import pytest

from avatarlab_ops.errors import StageTimeout
from avatarlab_ops.stages import deadline
from avatarlab_ops.stages.deadline import Deadline
from avatarlab_ops.stores import objects as objects_module


def test_a_report_after_the_budget_ends_the_stage() -> None:
    Deadline("matte", 3600).check()
    with pytest.raises(StageTimeout, match="matte took more than"):
        Deadline("matte", -1).check()


def test_a_stage_that_reports_nothing_is_ended() -> None:
    with pytest.raises(StageTimeout, match="lipsync"), Deadline("lipsync", 0.1).alarm():
        threading.Event().wait()  # for ever


def test_no_library_takes_the_alarm_for_a_failure_of_its_own() -> None:
    """The S3 client tries again whatever Exception interrupts it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = objects_module._client(where, "a", "b", "us-east-1")
        with pytest.raises(StageTimeout, match="publish"), Deadline("publish", 0.1).alarm():
            client.head_object(Bucket="outputs", Key="video.mp4")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_alarm_that_python_drops_rings_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def __del__(self) -> None:
            threading.Event().wait(0.15)

    monkeypatch.setattr(deadline, "AGAIN_S", 0.2)

    def work() -> None:
        Slow()
        threading.Event().wait(5)

    with pytest.raises(StageTimeout, match="admit"), Deadline("admit", 0.05).alarm():
        work()


def test_work_in_time_is_left_alone() -> None:
    with Deadline("speech", 3600).alarm():
        pass
