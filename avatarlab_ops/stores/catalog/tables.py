"""The tables. Times are UTC; lengths in seconds; digests are sha256 in hex."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    literal,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from avatarlab_ops.states import LIVE, ItemState, RenderState, StageState

LIVE_STATES = f"state IN ({', '.join(repr(str(state)) for state in LIVE)})"
CONSENT_KINDS = ("likeness", "voice")
SHARED_KINDS = ("video", "consent")
SOURCE_KINDS = ("reference", "input", "engine", "code")
AT_WORK = "state IN ('running', 'waiting', 'awaiting_approval')"
DUE = "deadline IS NOT NULL AND state IN ('accepted', 'running')"
ASKED = "approval_asked_at IS NOT NULL AND approved_at IS NULL AND state = 'running'"
WAITING = "delivered_at IS NULL AND dead_at IS NULL"


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class Base(DeclarativeBase):
    """Python types to column types, and names for constraints so that migrations can refer to them."""

    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own interface)
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


Base.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Consent(Base):
    """Leave to use one likeness or one voice, and what proves it: a document, or the terms of a licence."""

    __tablename__ = "consent"
    __table_args__ = (
        _one_of("kind", CONSENT_KINDS),
        CheckConstraint("document_sha256 IS NOT NULL OR terms IS NOT NULL", name="evidence_given"),
        Index("ix_consent_material", "kind", "material"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    kind: Mapped[str]
    material: Mapped[str]  # sha256 of the likeness or voice sample, or engine/name of a built-in voice
    scope: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))  # trust.consent.Scope
    document_uri: Mapped[str | None]
    document_sha256: Mapped[str | None]
    terms: Mapped[str | None]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
    recorded_by: Mapped[str | None]  # caller of the API; None: an operator, by the command line
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class InputObject(Base):
    """One version of an object of the inputs bucket, hashed and probed once."""

    __tablename__ = "input_object"
    uri: Mapped[str] = mapped_column(primary_key=True)
    etag: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int]
    media: Mapped[dict[str, Any]]  # plan.Source
    looks: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))  # part to plan.Look
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class InputOwner(Base):
    """Who brought an input object; one that nobody brought through a door with a login is everybody's."""

    __tablename__ = "input_owner"
    uri: Mapped[str] = mapped_column(primary_key=True)
    caller: Mapped[str] = mapped_column(primary_key=True)  # the same bytes may be brought by several
    shared: Mapped[bool]  # everybody with a login may use it


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
        _one_of("state", tuple(RenderState)),
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


class EngineVersion(Base):
    """One engine with one set of weights; `id` is the digest of both."""

    __tablename__ = "engine_version"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    version: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EngineWeight(Base):
    """A weights file of an engine version."""

    __tablename__ = "engine_weight"
    engine_version_id: Mapped[str] = mapped_column(ForeignKey("engine_version.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)


class Artifact(Base):
    """An immutable result of one stage, known by what made it."""

    __tablename__ = "artifact"
    __table_args__ = (
        Index("ix_artifact_kept", "engine_version_id", "stage", postgresql_include=["bytes", "evicted_at"]),
        Index("ix_artifact_stage", "stage", "stage_version"),
    )
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    stage: Mapped[str]
    stage_version: Mapped[str]
    engine_version_id: Mapped[str | None] = mapped_column(ForeignKey("engine_version.id"))
    params: Mapped[dict[str, Any]]
    key: Mapped[str]  # of artifact.json in the artifacts bucket
    sha256: Mapped[str] = mapped_column(index=True)  # over its files
    bytes: Mapped[int]
    files: Mapped[dict[str, Any]]  # name -> {key, sha256, bytes}
    facts: Mapped[dict[str, Any]]
    code_version: Mapped[str]
    compute_s: Mapped[float]
    made_by: Mapped[str | None] = mapped_column(ForeignKey("render.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)  # made, or found again
    evicted_at: Mapped[datetime | None]  # its objects were removed; the record stays


class ArtifactInput(Base):
    """An edge: the artifact was made from this artifact or this input object."""

    __tablename__ = "artifact_input"
    artifact: Mapped[str] = mapped_column(ForeignKey("artifact.fingerprint"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    source: Mapped[str | None] = mapped_column(ForeignKey("artifact.fingerprint"), index=True)


class SoundPrint(Base):
    """What a published video says, as words of 32 bits (media.soundprint); the artifact is its speech."""

    __tablename__ = "sound_print"
    __table_args__ = (Index("ix_sound_print_words", "words", postgresql_using="gin"),)
    artifact: Mapped[str] = mapped_column(ForeignKey("artifact.fingerprint"), primary_key=True)
    words: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class PicturePrint(Base):
    """How a published video moves and looks (media.pictureprint); the artifact is its composite."""

    __tablename__ = "picture_print"
    __table_args__ = (Index("ix_picture_print_words", "words", postgresql_using="gin"),)
    artifact: Mapped[str] = mapped_column(ForeignKey("artifact.fingerprint"), primary_key=True)
    words: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    curves: Mapped[bytes]
    look: Mapped[bytes]  # grey, 24 x 24


class StageRun(Base):
    """One stage of one render: how it went the last time."""

    __tablename__ = "stage_run"
    __table_args__ = (
        _one_of("state", tuple(StageState)),
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
    __table_args__ = (_one_of("kind", SOURCE_KINDS),)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True, index=True)


class Outbox(Base):
    """What must leave for another system, written with the state change that causes it.

    A row is waiting, delivered, or dead: refused by its receiver as often as is tried.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("topic", "key"),
        Index("ix_outbox_waiting", "id", postgresql_where=text(WAITING)),
        Index("ix_outbox_render_waiting", "render_id", "id", postgresql_where=text(WAITING)),
        Index("ix_outbox_dead", "id", postgresql_where=text("dead_at IS NOT NULL")),
    )
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    topic: Mapped[str]  # a collection of the document store, openlineage, or runs (DAG runs to begin)
    key: Mapped[str]  # identity of the message at its receiver
    payload: Mapped[dict[str, Any]]
    render_id: Mapped[str | None] = mapped_column(ForeignKey("render.id"), index=True)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None]
    next_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delivered_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RenderOrder(Base):
    """A place in the line of ordered renders (stores.catalog.line). A row whose render ended in line goes."""

    __tablename__ = "render_order"
    __table_args__ = (
        Index("ix_render_order_waiting", "priority", "caller", postgresql_where=text("begun_at IS NULL")),
        Index("ix_render_order_begun", "begun_at", postgresql_where=text("begun_at IS NOT NULL")),
        Index("ix_render_order_interactive", "caller", "placed_at", postgresql_where=text("priority = 0")),
        Index("uq_render_order_turn", "turn", unique=True),
    )
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True)
    caller: Mapped[str]
    priority: Mapped[int]  # states.Priority
    work_s: Mapped[float]  # seconds of work that it is expected to take, all stages
    gpu_s: Mapped[float]  # of these, in the pool `gpu`
    placed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    begun_at: Mapped[datetime | None]  # when its run was let begin; None: it waits
    turn: Mapped[int | None]  # which begin that was; None: it waits, or took a place kept for people


class WebhookEndpoint(Base):
    """An address that is told what became of renders: its caller's, or everybody's.

    One without an address signs what its caller's orders have sent to their `callback_url`.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        Index("uq_webhook_endpoint_callbacks", "caller", unique=True, postgresql_where=text("url IS NULL")),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str | None]
    caller: Mapped[str]
    everybody: Mapped[bool]
    secret: Mapped[str]  # whsec_...
    former_secret: Mapped[str | None]  # signs beside it for a day
    signing_key: Mapped[str | None]  # whsk_..., ed25519; never shown. None: made before there were such keys
    former_signing_key: Mapped[str | None]
    rotated_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebhookCallback(Base):
    """The address that one order wants told, and the endpoint that signs what is sent there."""

    __tablename__ = "webhook_callback"
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id", ondelete="CASCADE"), primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(
        ForeignKey("webhook_endpoint.id", ondelete="CASCADE"), index=True
    )
    url: Mapped[str]


class WebhookDelivery(Base):
    """One message to one endpoint: waiting, delivered, or given up."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index(
            "ix_webhook_delivery_due", "next_at",
            postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
        ),
    )  # fmt: skip
    id: Mapped[str] = mapped_column(primary_key=True)  # the same over all attempts
    endpoint_id: Mapped[str] = mapped_column(
        ForeignKey("webhook_endpoint.id", ondelete="CASCADE"), index=True
    )
    url: Mapped[str]
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Share(Base):
    """A link for somebody without a login: to one video, or to all that was made on one consent."""

    __tablename__ = "share"
    __table_args__ = (_one_of("kind", SHARED_KINDS), Index("ix_share_target", "kind", "target"))
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    target: Mapped[str]  # id of a render or of a consent
    expires_at: Mapped[datetime]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]


class Tombstone(Base):
    """What stays of a withdrawn video: a record, exactly as it was signed."""

    __tablename__ = "tombstone"
    render_id: Mapped[str] = mapped_column(ForeignKey("render.id"), primary_key=True)
    record: Mapped[str]  # JSON
    signature: Mapped[str]  # base64
    chain: Mapped[str]  # PEM, the signer's certificate first
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


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
        _one_of("state", tuple(ItemState)),
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
