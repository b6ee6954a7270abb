"""What is known of a render: its state, its stages as they run, and what it published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from avatarlab_ops.canonical import Json
from avatarlab_ops.graph import STAGES
from avatarlab_ops.renders.prediction import gpu_s, remaining_s
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import PENDING, SETTLED, Priority, RenderState, StageState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from avatarlab_ops.stores.catalog.tables import Render, StageRun


@dataclass(frozen=True)
class StageStatus:
    """One stage as the catalog sees it.

    state: pending, running, waiting (for equal work elsewhere), awaiting_approval, done, cached, not_needed,
    failed.
    """

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
    energy_j: float | None = None  # its share of what its device used; None: that does not tell


@dataclass(frozen=True)
class RenderStatus:
    """One render. state: accepted, running, published, failed, cancelled (the last three are final)."""

    render_id: str
    run_id: str | None
    state: str
    stages: tuple[StageStatus, ...]
    error_code: str | None
    error: str | None
    error_stage: str | None
    warnings: tuple[str, ...]
    video_uri: str | None
    manifest_uri: str | None
    measures: Json
    created_at: datetime
    ended_at: datetime | None
    predicted_s: float | None  # seconds of work that `admit` expected, all stages
    predicted_gpu_s: float | None
    expected_end: datetime | None  # while it runs, when nothing else is in the way; in line by the pace
    withdrawn_at: datetime | None = None  # published once, its files are gone
    withdrawn_reason: str | None = None
    awaits_approval: bool = False  # somebody has to let it be published
    approved_by: str | None = None
    priority: str | None = None  # interactive, normal or bulk; None: it was not ordered
    expected_start: datetime | None = None  # while it waits in line
    deadline: datetime | None = None
    late: bool = False  # it ended beyond its deadline, or is expected to
    energy_j: float | None = None  # of the stages that tell, without what was cached; None: none does


@dataclass(frozen=True)
class Published:
    """A published video: s3:// addresses of everything under its prefix."""

    render_id: str
    video_uri: str
    manifest_uri: str
    files: dict[str, str]  # "video.mp4" -> "s3://outputs/renders/<render_id>/video.mp4"
    duration_s: float


def of(settings: Settings, render_id: str) -> RenderStatus:
    """What is known about a render. Raises ReferenceRefused when there is none."""
    from avatarlab_ops.stores.catalog import notes, records, transaction

    with transaction(settings.pg_dsn) as db:
        found = records.find(db, render_id)
        runs, rows = records.stage_runs(db, render_id), records.progress_of(db, render_id)
        files = records.published_files(db, render_id)
        artifacts = records.artifacts_of(db, render_id)
        ordered = _ordered(db, found)
    shown = {} if found.withdrawn_at else files
    video = next((file.uri for name, file in shown.items() if name.startswith("video.")), None)
    manifest = files["manifest.json"].uri if "manifest.json" in files else None
    stages = tuple(stage_status(name, runs.get(name), rows.get(name)) for name in STAGES)
    foreseen = expected(found.predicted, found.ended_at, stages, ended(runs)) | ordered
    return RenderStatus(
        render_id=render_id,
        run_id=found.run_id,
        state=found.state,
        stages=stages,
        error_code=found.error_code,
        error=found.error,
        error_stage=found.error_stage,
        warnings=tuple(notes.told(found.plan, (made.facts for made in artifacts.values()))),
        video_uri=video,
        manifest_uri=manifest,
        measures=found.measures or {},
        created_at=found.created_at,
        ended_at=found.ended_at,
        withdrawn_at=found.withdrawn_at,
        withdrawn_reason=found.withdrawn_reason,
        awaits_approval=found.awaits_approval,
        approved_by=found.approved_by,
        deadline=found.deadline,
        late=is_late(found.deadline, found.ended_at, foreseen["expected_end"]),
        energy_j=told_energy(stage.energy_j for stage in stages),
        **foreseen,
    )


def _ordered(db: Session, render: Render) -> Json:
    """Priority of an ordered render and, while it waits in line, when it will begin and end."""
    from avatarlab_ops.stores.catalog import line, tables

    order = db.get(tables.RenderOrder, render.id)
    if order is None:
        return {}
    told: Json = {"priority": Priority(order.priority).name.lower()}
    times = line.times_of(db, render.id) if order.begun_at is None else None
    return told | dict(zip(("expected_start", "expected_end"), times or (), strict=False))


def told_energy(joules: Iterable[float | None]) -> float | None:
    """The sum of those that are told, None where none is.

    >>> told_energy([2.5, None, 1.0]), told_energy([None])
    (3.5, None)
    """
    told = [one for one in joules if one is not None]
    return round(sum(told), 3) if told else None


def is_late(deadline: datetime | None, ended_at: datetime | None, ends: datetime | None) -> bool:
    """Whether something ended beyond its deadline, or is expected to; `ends` None: it may at once."""
    return deadline is not None and (ended_at or ends or datetime.now(UTC)) > deadline


def expected_end(db: Session, render: Render) -> datetime | None:
    """When an open render will have ended if nothing else is in the way; None before it is admitted."""
    from avatarlab_ops.stores.catalog import records

    if render.predicted is None:
        return None
    runs, rows = records.stage_runs(db, render.id), records.progress_of(db, render.id)
    stages = tuple(stage_status(name, runs.get(name), rows.get(name)) for name in STAGES)
    ends: datetime | None = expected(render.predicted, render.ended_at, stages, ended(runs))["expected_end"]
    return ends


def ended(runs: Mapping[str, StageRun]) -> list[str]:
    """The stages that have ended, also those within another's task."""
    return [name for name, run in runs.items() if run.state in SETTLED]


def expected(
    predicted: dict[str, float] | None,
    ended_at: datetime | None,
    stages: tuple[StageStatus, ...],
    over: Iterable[str],
) -> Json:
    """predicted_s, predicted_gpu_s and expected_end of a render with this prediction; `over`: `ended`."""
    if predicted is None:
        return {"predicted_s": None, "predicted_gpu_s": None, "expected_end": None}
    instant = datetime.now(UTC)
    left = {s.stage: (s.expected_end - instant).total_seconds() for s in stages if s.expected_end}
    rest_s = remaining_s(predicted, over, {stage: max(0.0, value) for stage, value in left.items()})
    return {
        "predicted_s": round(sum(predicted.values()), 3),
        "predicted_gpu_s": round(gpu_s(predicted), 3),
        "expected_end": None if ended_at else instant + timedelta(seconds=rest_s),
    }


def stage_status(name: str, run: Any, row: Any) -> StageStatus:
    """A stage from its `StageRun` and `Progress`, each None where there is none yet."""
    state, attempt = (run.state, run.attempt) if run else (PENDING, 0)
    return StageStatus(
        stage=name,
        state=state,
        attempt=attempt,
        compute_s=run.compute_s if run else 0.0,
        done=row.done if row else 0,
        total=row.total if row else 0,
        unit=row.unit if row else "",
        rate=row.rate if row else 0.0,
        expected_end=row.expected_end if row and state == StageState.RUNNING else None,
        error=run.error if run else None,
        energy_j=run.energy_j if run else None,
    )


def published(settings: Settings, render_id: str) -> Published | None:
    """The published video of a render, None while there is none or after it was withdrawn."""
    found = of(settings, render_id)
    if found.state != RenderState.PUBLISHED or found.video_uri is None or found.manifest_uri is None:
        return None
    from avatarlab_ops.stores.catalog import records, transaction

    with transaction(settings.pg_dsn) as db:
        files = {name: file.uri for name, file in records.published_files(db, render_id).items()}
    duration_s = float(found.measures.get("duration_s", 0.0))
    return Published(render_id, found.video_uri, found.manifest_uri, files, duration_s)


def with_run(settings: Settings) -> dict[str, str]:
    """Render id to run id of every render that has not ended and that an Airflow run works on."""
    from avatarlab_ops.stores.catalog import records, transaction

    with transaction(settings.pg_dsn) as db:
        return records.open_runs(db)


def renders_of_run(settings: Settings, run_id: str) -> list[str]:
    """Render ids of one DAG run, newest first."""
    from avatarlab_ops.stores.catalog import records, transaction

    with transaction(settings.pg_dsn) as db:
        return records.renders_of_run(db, run_id)
