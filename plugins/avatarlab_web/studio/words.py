"""Figures and reasons as sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.renders.status import StageStatus
from avatarlab_ops.states import AT_WORK, OPEN, PENDING, SETTLED, RenderState, StageState
from avatarlab_web.studio.page import seconds, stage_name, text, texts, when

GOOD_R, FAIR_R = 0.8, 0.6  # correlation of the lips with the sound; 0.6 is where a warning begins
Told = Mapping[str, Any]


def measures(found: Told) -> list[str]:
    """What was measured of a published video, the most telling first."""
    return [*_shape(found), *_lips(found), *_speech(found), *_picture(found)]


def _shape(found: Told) -> Iterator[str]:
    if {"duration_s", "width", "height", "fps"} <= found.keys():
        size = {"width": found["width"], "height": found["height"], "fps": f"{found['fps']:.5g}"}
        yield text("measure.shape", length=seconds(found["duration_s"]), **size)


def _lips(found: Told) -> Iterator[str]:
    if "lip_gap_r" not in found:
        return
    if found["lip_gap_r"] < FAIR_R:
        yield text("measure.lips.bad")
        return
    ms = round(found.get("lip_lag_ms", 0))
    side = "none" if ms == 0 else "late" if ms > 0 else "early"
    how = "good" if found["lip_gap_r"] >= GOOD_R else "fair"
    yield text(f"measure.lips.{how}", lag=text(f"measure.lag.{side}", ms=abs(ms)))


def _speech(found: Told) -> Iterator[str]:
    if found.get("words") and found.get("speech_s"):
        pace = round(found["words"] / found["speech_s"] * 60)
        yield text("measure.speech", words=found["words"], length=seconds(found["speech_s"]), pace=pace)
    if "loudness_lufs" in found:
        yield text("measure.loudness", lufs=f"{found['loudness_lufs']:.0f}".replace("-", "\u2212"))


def _picture(found: Told) -> Iterator[str]:
    if "alpha_coverage" in found:
        yield text("measure.coverage", share=round(found["alpha_coverage"] * 100))
    lacking = found.get("frames_without_face")
    if lacking:
        yield text("measure.faces.lacking", frames=lacking, all=found.get("frames", "?"))
    elif lacking == 0:
        yield text("measure.faces")
    covered = found.get("frames_with_covered_mouth")
    if covered:
        yield text("measure.faces.covered", frames=covered, all=found.get("frames", "?"))


def advice(code: str | None) -> str:
    """What to do about a failure of that code."""
    return text(f"advice.{code}" if f"advice.{code}" in texts() else "advice.other")


def codes(error: type[AvatarlabError] = AvatarlabError) -> Iterator[str]:
    """Every code with which a render can fail: those of errors.py, whatever else a process has loaded."""
    for child in error.__subclasses__():
        if child.__module__ == AvatarlabError.__module__:
            if "code" in vars(child):  # a class that only gathers others has none of its own
                yield child.code
            yield from codes(child)


def step(stage: StageStatus, *, over: bool) -> dict[str, Any]:
    """One stage as a line of the page: its name, a sentence, and how far it is from 0 to 1."""
    state = "stopped" if over and stage.state in (PENDING, *AT_WORK) else stage.state
    done = state in SETTLED
    share = 1.0 if done else stage.done / stage.total if stage.total else 0.0
    said = text(f"stage.state.{state}")
    if state == StageState.DONE and stage.compute_s >= 0.05:  # below, seconds show as 0
        said = seconds(stage.compute_s)
    if state == StageState.RUNNING and stage.total:
        said = text("stage.amount", done=stage.done, total=stage.total, unit=stage.unit)
    rate = f"{stage.rate:.0f}" if state == StageState.RUNNING and stage.rate >= 1 else ""
    return {
        "stage": stage.stage, "name": stage_name(stage.stage), "state": state, "said": said,
        "share": round(share, 3), "rate": text("stage.rate", rate=rate, unit=stage.unit) if rate else "",
    }  # fmt: skip


def news(render_state: str, stages: Iterable[StageStatus], begins: datetime | None = None) -> str:
    """The one sentence that a screen reader is told when it changes; `begins`: while it waits in line."""
    running = [stage for stage in stages if stage.state in AT_WORK]
    if begins:
        return text("progress.line", at=when(begins))
    if render_state in OPEN and not running:
        return text("progress.queued") if render_state == RenderState.ACCEPTED else text("state.running")
    if render_state == RenderState.RUNNING:
        state = text(f"stage.state.{running[-1].state}")
        return text("progress.said", stage=stage_name(running[-1].stage), state=state)
    return text(f"state.{render_state}")
