"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "consent",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document_uri", sa.Text(), nullable=True),
        sa.Column("document_sha256", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_table(
        "engine_version",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine_version")),
    )
    op.create_table(
        "input_object",
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("media", postgresql.JSONB(), nullable=False),
        sa.Column("face_checked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("uri", "etag", name=op.f("pk_input_object")),
    )
    op.create_index(op.f("ix_input_object_sha256"), "input_object", ["sha256"], unique=False)
    op.create_table(
        "request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request")),
        sa.UniqueConstraint("caller", "idempotency_key", name=op.f("uq_request_caller_idempotency_key")),
        sa.UniqueConstraint("run_id", name=op.f("uq_request_run_id")),
    )
    op.create_index(op.f("ix_request_sha256"), "request", ["sha256"], unique=False)
    op.create_table(
        "avatar",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("consent_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.id"], name=op.f("fk_avatar_consent_id_consent")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_avatar")),
    )
    op.create_table(
        "engine_weight",
        sa.Column("engine_version_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["engine_version_id"],
            ["engine_version.id"],
            name=op.f("fk_engine_weight_engine_version_id_engine_version"),
        ),
        sa.PrimaryKeyConstraint("engine_version_id", "name", name=op.f("pk_engine_weight")),
    )
    op.create_index(op.f("ix_engine_weight_sha256"), "engine_weight", ["sha256"], unique=False)
    op.create_table(
        "render",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("plan", postgresql.JSONB(), nullable=True),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_stage", sa.Text(), nullable=True),
        sa.Column("measures", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('accepted', 'running', 'published', 'failed', 'cancelled')",
            name=op.f("ck_render_state_known"),
        ),
        sa.ForeignKeyConstraint(["request_id"], ["request.id"], name=op.f("fk_render_request_id_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_render")),
    )
    op.create_index(op.f("ix_render_run_id"), "render", ["run_id"], unique=False)
    op.create_index(op.f("ix_render_state"), "render", ["state"], unique=False)
    op.create_index(
        "uq_render_live",
        "render",
        ["request_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('accepted', 'running', 'published')"),
    )
    op.create_table(
        "voice",
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sample_sha256", sa.Text(), nullable=True),
        sa.Column("consent_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.id"], name=op.f("fk_voice_consent_id_consent")),
        sa.PrimaryKeyConstraint("engine", "name", name=op.f("pk_voice")),
    )
    op.create_table(
        "artifact",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("stage_version", sa.Text(), nullable=False),
        sa.Column("engine_version_id", sa.Text(), nullable=True),
        sa.Column("params", postgresql.JSONB(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("files", postgresql.JSONB(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("compute_s", sa.Double(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["engine_version_id"],
            ["engine_version.id"],
            name=op.f("fk_artifact_engine_version_id_engine_version"),
        ),
        sa.ForeignKeyConstraint(["made_by"], ["render.id"], name=op.f("fk_artifact_made_by_render")),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_artifact")),
    )
    op.create_index(op.f("ix_artifact_engine_version_id"), "artifact", ["engine_version_id"], unique=False)
    op.create_index(op.f("ix_artifact_sha256"), "artifact", ["sha256"], unique=False)
    op.create_index(op.f("ix_artifact_stage"), "artifact", ["stage"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("rating", sa.BigInteger(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_feedback_render_id_render")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_render_id"), "feedback", ["render_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("render_id", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_outbox_render_id_render")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("topic", "key", name=op.f("uq_outbox_topic_key")),
    )
    op.create_index(op.f("ix_outbox_render_id"), "outbox", ["render_id"], unique=False)
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "progress",
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("expected_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_progress_render_id_render")),
        sa.PrimaryKeyConstraint("render_id", "stage", name=op.f("pk_progress")),
    )
    op.create_table(
        "published_file",
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["render_id"], ["render.id"], name=op.f("fk_published_file_render_id_render")
        ),
        sa.PrimaryKeyConstraint("render_id", "name", name=op.f("pk_published_file")),
        sa.UniqueConstraint("uri", name=op.f("uq_published_file_uri")),
    )
    op.create_index(op.f("ix_published_file_sha256"), "published_file", ["sha256"], unique=False)
    op.create_table(
        "render_input",
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_render_input_render_id_render")),
        sa.PrimaryKeyConstraint("render_id", "role", name=op.f("pk_render_input")),
    )
    op.create_index(op.f("ix_render_input_sha256"), "render_input", ["sha256"], unique=False)
    op.create_table(
        "artifact_input",
        sa.Column("artifact", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["artifact"], ["artifact.fingerprint"], name=op.f("fk_artifact_input_artifact_artifact")
        ),
        sa.ForeignKeyConstraint(
            ["source"], ["artifact.fingerprint"], name=op.f("fk_artifact_input_source_artifact")
        ),
        sa.PrimaryKeyConstraint("artifact", "role", name=op.f("pk_artifact_input")),
    )
    op.create_index(op.f("ix_artifact_input_sha256"), "artifact_input", ["sha256"], unique=False)
    op.create_index(op.f("ix_artifact_input_source"), "artifact_input", ["source"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name=op.f("fk_delivery_outbox_id_outbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    op.create_index(op.f("ix_delivery_outbox_id"), "delivery", ["outbox_id"], unique=False)
    op.create_table(
        "stage_run",
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("artifact", sa.Text(), nullable=True),
        sa.Column("compute_s", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'cached', 'not_needed', 'failed')",
            name=op.f("ck_stage_run_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["artifact"], ["artifact.fingerprint"], name=op.f("fk_stage_run_artifact_artifact")
        ),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_stage_run_render_id_render")),
        sa.PrimaryKeyConstraint("render_id", "stage", name=op.f("pk_stage_run")),
    )
    op.create_index(op.f("ix_stage_run_artifact"), "stage_run", ["artifact"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_index(op.f("ix_stage_run_artifact"), table_name="stage_run")
    op.drop_table("stage_run")
    op.drop_index(op.f("ix_delivery_outbox_id"), table_name="delivery")
    op.drop_table("delivery")
    op.drop_index(op.f("ix_artifact_input_source"), table_name="artifact_input")
    op.drop_index(op.f("ix_artifact_input_sha256"), table_name="artifact_input")
    op.drop_table("artifact_input")
    op.drop_index(op.f("ix_render_input_sha256"), table_name="render_input")
    op.drop_table("render_input")
    op.drop_index(op.f("ix_published_file_sha256"), table_name="published_file")
    op.drop_table("published_file")
    op.drop_table("progress")
    op.drop_index("ix_outbox_waiting", table_name="outbox", postgresql_where=sa.text("delivered_at IS NULL"))
    op.drop_index(op.f("ix_outbox_render_id"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_index(op.f("ix_feedback_render_id"), table_name="feedback")
    op.drop_table("feedback")
    op.drop_index(op.f("ix_artifact_stage"), table_name="artifact")
    op.drop_index(op.f("ix_artifact_sha256"), table_name="artifact")
    op.drop_index(op.f("ix_artifact_engine_version_id"), table_name="artifact")
    op.drop_table("artifact")
    op.drop_table("voice")
    op.drop_index(
        "uq_render_live",
        table_name="render",
        postgresql_where=sa.text("state IN ('accepted', 'running', 'published')"),
    )
    op.drop_index(op.f("ix_render_state"), table_name="render")
    op.drop_index(op.f("ix_render_run_id"), table_name="render")
    op.drop_table("render")
    op.drop_index(op.f("ix_engine_weight_sha256"), table_name="engine_weight")
    op.drop_table("engine_weight")
    op.drop_table("avatar")
    op.drop_index(op.f("ix_request_sha256"), table_name="request")
    op.drop_table("request")
    op.drop_index(op.f("ix_input_object_sha256"), table_name="input_object")
    op.drop_table("input_object")
    op.drop_table("engine_version")
    op.drop_table("consent")
