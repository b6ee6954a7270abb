"""Requests, renders, how far they are and what they published; bulk runs, and what such work costs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    literal,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from avatarlab_ops.states import ItemState, RenderState, StageState
from avatarlab_ops.stores.catalog.tables.base import (
    ASKED,
    AT_WORK,
    DUE,
    LIVE_STATES,
    SOURCE_KINDS,
    Base,
    one_of,
)


class Request(Base):
    """What was asked for, and by whom."""

    __tablename__ = "request"
    __table_args__ = (
        UniqueConstraint("caller", "idempotency_key"),
        UniqueConstraint("run_id"),
        # What bulk runs choose by, and housekeeping's label `retention`.
        Index("ix_request_labels", text("(body['labels'])"), postgresql_using="gin"),
        Index("ix_request_avatar", text("(body['avatar'] ->> 'uri')")),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    body: Mapped[dict[str, Any]]
    caller: Mapped[str]
    idempotency_key: Mapped[str | None]
    run_id: Mapped[str | None]  # Airflow's DAG run
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Render(Base):
    """One run of a request; it ends exactly once."""

    __tablename__ = "render"
    __table_args__ = (
        one_of("state", tuple(RenderState)),
        # The guard behind "never two": a request has at most one render that is alive or published.
        Index(
            "uq_render_live", "request_id", unique=True,
            postgresql_where=text(LIVE_STATES),
        ),
        Index("ix_render_published", "ended_at", "id", postgresql_where=text("state = 'published'")),
        Index("ix_render_created", "created_at", "id"),  # the list, newest first
        Index("ix_render_state_created", "state", "created_at", "id"),
        Index("ix_render_ended", "ended_at"),  # what streams of events look for
        Index("ix_render_withdrawn", "withdrawn_at", postgresql_where=text("withdrawn_at IS NOT NULL")),
        Index("ix_render_asked", "created_at", "id", postgresql_where=text(ASKED)),
        Index("ix_render_due", "deadline", "id", postgresql_where=text(DUE)),
    )  # fmt: skip
    id: Mapped[str] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("request.id"))
    run_id: Mapped[str | None] = mapped_column(index=True)
    state: Mapped[str]
    plan: Mapped[dict[str, Any] | None]
    code_version: Mapped[str]
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    error_stage: Mapped[str | None]
    measures: Mapped[dict[str, Any] | None]
    predicted: Mapped[dict[str, Any] | None]  # stage -> seconds of work that `admit` expects
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]  # published once, no longer shown; the state stays published
    withdrawn_reason: Mapped[str | None]
    approval_asked_at: Mapped[datetime | None]  # since when somebody has to let it be published
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    deadline: Mapped[datetime | None]
    late_told_at: Mapped[datetime | None]  # when the forecast first went beyond the deadline

    @hybrid_property
    def awaits_approval(self) -> bool:
        """Whether it is made, and waits for a person to let it be published."""
        asked = self.approval_asked_at is not None and self.approved_at is None
        return asked and self.state == RenderState.RUNNING

    @awaits_approval.inplace.expression
    @classmethod
    def _awaits_approval(cls) -> ColumnElement[bool]:
        """Spelt out, so that the planner knows ix_render_asked by it."""
        asked = cls.approval_asked_at.is_not(None) & cls.approved_at.is_(None)
        return asked & (cls.state == literal(RenderState.RUNNING.value, literal_execute=True))


class RenderTag(Base):
    """What the list finds a render by, in the list's order: a page is one walk along the primary key."""

    __tablename__ = "render_tag"
    kind: Mapped[str] = mapped_column(primary_key=True)  # caller, avatar or label
    value: Mapped[str] = mapped_column(primary_key=True)  # a name, an s3:// address, NAME:VALUE
    created_at: Mapped[datetime] = mapped_column(primary_key=True)  # the render's
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True, index=True)


class RenderConsent(Base):
    """Which consent a render relies on: those found at admission, then those found at publication."""

    __tablename__ = "render_consent"
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True)
    consent_id: Mapped[str] = mapped_column(ForeignKey("consent.id"), primary_key=True, index=True)


class RenderInput(Base):
    """Which bytes a render was given."""

    __tablename__ = "render_input"
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)  # plan.ROLES
    uri: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int]


class StageRun(Base):
    """One stage of one render: how it went the last time."""

    __tablename__ = "stage_run"
    __table_args__ = (
        one_of("state", tuple(StageState)),
        # What ended lately: metrics look at minutes, a budget at a day, cache figures at a month.
        Index("ix_stage_run_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
        Index("ix_stage_run_open", "render_id", postgresql_where=text(AT_WORK)),
    )
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    attempt: Mapped[int]
    artifact: Mapped[str | None] = mapped_column(ForeignKey("artifact.fingerprint"), index=True)
    compute_s: Mapped[float] = mapped_column(server_default=text("0"))
    energy_j: Mapped[float | None]  # of the device that it was granted, where that tells
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    host: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class Progress(Base):
    """The last report of a running stage, written at most twice a second."""

    __tablename__ = "progress"
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    done: Mapped[int]
    total: Mapped[int]
    unit: Mapped[str]
    rate: Mapped[float]  # units a second
    expected_end: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PublishedFile(Base):
    """A file of a published video in the outputs bucket."""

    __tablename__ = "published_file"
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    uri: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int]


class VideoSource(Base):
    """Something a published video depends on, through its whole ancestry; written once, at publication, and
    removed when the video is withdrawn.

    `kind` and `key`: reference (s3:// address), input (sha256 of an input object or of an artifact that was
    read), engine (engine_version.id) or code (code version). It is the graph's closure, so that a change that
    touches a million videos still finds its first page by one walk along an index.
    """

    __tablename__ = "video_source"
    __table_args__ = (one_of("kind", SOURCE_KINDS),)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True, index=True)


class Rate(Base):
    """What one stage with one engine has cost lately: sums for a straight line of seconds over work.

    Each new measurement counts 1, all earlier ones are weighed down; `side_px` is 0 where size plays no part.
    """

    __tablename__ = "rate"
    stage: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str] = mapped_column(primary_key=True)
    side_px: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[float]
    x: Mapped[float]  # work, in the stage's own unit
    y: Mapped[float]  # seconds
    xx: Mapped[float]
    xy: Mapped[float]


class BulkRun(Base):
    """Many requests that were asked for at once."""

    __tablename__ = "bulk_run"
    id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str | None]  # of the Airflow run that works on it, or did last
    caller: Mapped[str]
    spec: Mapped[dict[str, Any]]  # BulkRequest
    spec_sha256: Mapped[str]
    template_uri: Mapped[str | None] = mapped_column(index=True)
    template_sha256: Mapped[str | None]
    problems: Mapped[dict[str, Any]]  # rows left out: {"count": n, "first": ["line 7: ...", ...]}
    counts: Mapped[dict[str, Any] | None]  # state -> items, once all have ended
    deadline: Mapped[datetime | None]
    late_told_at: Mapped[datetime | None]  # when the forecast first went beyond the deadline
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class BulkItem(Base):
    """One request of a bulk run. Its key makes its request's idempotency key, so it is published once."""

    __tablename__ = "bulk_item"
    __table_args__ = (
        one_of("state", tuple(ItemState)),
        UniqueConstraint("bulk_id", "key"),
        UniqueConstraint("bulk_id", "render_id"),
        Index("ix_bulk_item_batch", "bulk_id", "batch"),
    )
    bulk_id: Mapped[str] = mapped_column(ForeignKey("bulk_run.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    line: Mapped[int | None]  # of the file it was read from
    request: Mapped[dict[str, Any]]
    variables: Mapped[dict[str, Any] | None]  # of the template
    source: Mapped[str | None] = mapped_column(ForeignKey("render.id"), index=True)  # the render it replaces
    batch: Mapped[int]
    predicted_gpu_s: Mapped[float]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    render_id: Mapped[str | None] = mapped_column(ForeignKey("render.id"), index=True)
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    ended_at: Mapped[datetime | None]
