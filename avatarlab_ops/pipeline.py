"""The stage graph, and what may be done with a render. Airflow and the command line call nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from avatarlab_ops.progress import Report, silent
from avatarlab_ops.request import AvatarRequest

if TYPE_CHECKING:
    from avatarlab_ops.settings import Settings

STAGES = ("admit", "speech", "face", "matte", "lipsync", "composite", "publish")


@dataclass(frozen=True)
class StageResult:
    """What became of one stage of one render. Small enough for XCom (`dataclasses.asdict`)."""

    render_id: str
    stage: str
    needed: bool  # False: this request has no use for the stage
    cached: bool  # True: the artifact existed already
    artifact: str | None  # its fingerprint
    compute_s: float  # seconds of work, 0 when cached or not needed
    pending: tuple[str, ...] = ()  # after admit: the stages that still have work to do


@dataclass(frozen=True)
class StageStatus:
    """One stage as the catalog sees it. state: pending, running, done, cached, not_needed, failed."""

    stage: str
    state: str
    attempt: int
    compute_s: float
    done: int
    total: int
    unit: str
    rate: float  # units a second
    expected_end: datetime | None
    error: str | None


@dataclass(frozen=True)
class RenderStatus:
    """One render. state: accepted, running, published, failed, cancelled (the last three are final)."""

    render_id: str
    run_id: str | None
    state: str
    stages: tuple[StageStatus, ...]
    error_code: str | None
    error: str | None
    warnings: tuple[str, ...]
    video_uri: str | None
    manifest_uri: str | None


@dataclass(frozen=True)
class Published:
    """A published video: s3:// addresses of everything under its prefix."""

    render_id: str
    video_uri: str
    manifest_uri: str
    files: dict[str, str]  # "video.mp4" -> "s3://outputs/renders/<render_id>/video.mp4"
    duration_s: float


def submit(
    settings: Settings,
    request: AvatarRequest | Mapping[str, Any],
    *,
    run_id: str | None = None,
    caller: str = "cli",
) -> str:
    """Accept a request and return its render id; the same `run_id` or idempotency key gives the same id."""
    raise NotImplementedError


def run_stage(settings: Settings, render_id: str, stage: str, *, report: Report = silent) -> StageResult:
    """Run one stage of a render, or find that its artifact exists. May be called again after any failure."""
    raise NotImplementedError


def render(
    settings: Settings,
    request: AvatarRequest | Mapping[str, Any],
    *,
    report: Report = silent,
    caller: str = "cli",
) -> Published:
    """Submit and run every stage in this process."""
    raise NotImplementedError


def fail(settings: Settings, render_id: str, error: BaseException | str) -> bool:
    """End a render as failed with the reason; False if it had ended already."""
    raise NotImplementedError


def cancel(settings: Settings, render_id: str) -> bool:
    """End a render as cancelled; running stages stop at their next report. False if it had ended already."""
    raise NotImplementedError


def status(settings: Settings, render_id: str) -> RenderStatus:
    """What is known about a render. Raises ReferenceRefused when there is none."""
    raise NotImplementedError


def published(settings: Settings, render_id: str) -> Published | None:
    """The published video of a render, None while there is none."""
    raise NotImplementedError
