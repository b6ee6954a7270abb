"""What a video has cost here: seconds of each stage and bytes moved, over the videos published last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from avatarlab_ops.errors import InputError
from avatarlab_ops.graph import BY_NAME, GPU_STAGES
from avatarlab_ops.renders.prediction import line
from avatarlab_ops.states import RenderState, StageState
from avatarlab_ops.stores.catalog import tables as m

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

LAST = 1000  # videos that are looked at
READ_AGAIN = 1.0  # times that an artifact is read after it was written: by the stage behind it


@dataclass(frozen=True)
class Seen:
    """One published video: its minutes, the seconds of work of its stages, the bytes it moved."""

    minutes: float
    seconds: Mapping[str, float]  # of each that had work to do
    bytes: float


@dataclass(frozen=True)
class Workload:
    """What videos cost, as straight lines over their minutes: (for each video, for each minute)."""

    videos: int
    mean_minutes: float
    stages: Mapping[str, tuple[float, float]]  # seconds
    bytes: tuple[float, float]

    def seconds(self, minutes: float) -> dict[str, float]:
        """Seconds of work of each stage of a video of so many minutes."""
        return {name: fixed + each * minutes for name, (fixed, each) in self.stages.items()}

    def gpu_s(self, minutes: float) -> float:
        """Seconds of the stages of the pool `gpu`."""
        return sum(value for name, value in self.seconds(minutes).items() if name in GPU_STAGES)

    def cpu_s(self, minutes: float) -> float:
        """Seconds of all other stages."""
        return sum(value for name, value in self.seconds(minutes).items() if name not in GPU_STAGES)

    def moved(self, minutes: float) -> float:
        """Bytes to and from S3."""
        return self.bytes[0] + self.bytes[1] * minutes


def workload(videos: Iterable[Seen]) -> Workload:
    """The lines through what was seen. Raises InputError when nothing was."""
    seen = list(videos)
    if not seen:
        raise InputError(
            "no video was published here yet, so nothing was measured: render a few of yours first"
        )
    minutes = [one.minutes for one in seen]
    stages = {
        name: line(minutes, [one.seconds.get(name, 0.0) for one in seen])
        for name in BY_NAME
        if any(name in one.seconds for one in seen)
    }
    return Workload(len(seen), sum(minutes) / len(seen), stages, line(minutes, [one.bytes for one in seen]))


def lately(db: Session) -> list[Seen]:
    """The videos published last, at most a thousand; what was found again cost nothing."""
    length = m.Render.measures["duration_s"].as_float()
    shown = sa.select(m.Render.id, length).where(m.Render.state == RenderState.PUBLISHED, length > 0)
    minutes = {name: s / 60 for name, s in db.execute(shown.order_by(m.Render.ended_at.desc()).limit(LAST))}
    made = m.Artifact.fingerprint == m.StageRun.artifact
    worked = sa.select(m.StageRun, m.Artifact.bytes).outerjoin(m.Artifact, made)
    worked = worked.where(m.StageRun.render_id.in_(minutes), m.StageRun.state == StageState.DONE)
    seconds: dict[str, dict[str, float]] = {name: {} for name in minutes}
    moved = dict.fromkeys(minutes, 0.0)
    for run, size in db.execute(worked):
        seconds[run.render_id][run.stage] = run.compute_s
        moved[run.render_id] += (size or 0) * (1 + READ_AGAIN)
    files = sa.select(m.PublishedFile.render_id, sa.func.sum(m.PublishedFile.bytes))
    files = files.where(m.PublishedFile.render_id.in_(minutes)).group_by(m.PublishedFile.render_id)
    for render, size in db.execute(files):
        moved[render] += float(size)
    return [Seen(minutes[name], seconds[name], moved[name]) for name in minutes]
