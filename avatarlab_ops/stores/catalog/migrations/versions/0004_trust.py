"""Consent by material, what a render relies on, withdrawn videos, evicted artifacts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0001"
_VOICE = "coalesce(voice.sample_sha256, voice.engine || '/' || voice.name)"


def upgrade() -> None:
    """Turn links from avatars and voices to a consent into the material that the consent names."""
    op.add_column("consent", sa.Column("material", sa.Text(), nullable=True))
    op.execute("UPDATE consent SET material = sha256 FROM avatar WHERE avatar.consent_id = consent.id")
    op.execute(
        f"UPDATE consent SET material = {_VOICE} FROM voice WHERE voice.consent_id = consent.id"  # noqa: S608
    )
    op.execute("UPDATE consent SET material = '' WHERE material IS NULL")
    op.alter_column("consent", "material", nullable=False)
    op.add_column(
        "consent", sa.Column("scope", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("consent", sa.Column("terms", sa.Text(), nullable=True))
    op.execute("UPDATE consent SET terms = 'not recorded' WHERE document_sha256 IS NULL")
    op.add_column("consent", sa.Column("revoked_reason", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_consent_kind_known"), "consent", "kind IN ('likeness', 'voice')")
    op.create_check_constraint(
        op.f("ck_consent_evidence_given"), "consent", "document_sha256 IS NOT NULL OR terms IS NOT NULL"
    )
    op.create_index("ix_consent_material", "consent", ["kind", "material"])
    op.drop_column("avatar", "consent_id")
    op.drop_column("voice", "consent_id")
    _render_and_artifact()


def _render_and_artifact() -> None:
    op.create_table(
        "render_consent",
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("consent_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["render_id"], ["render.id"], name=op.f("fk_render_consent_render_id_render")
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consent.id"], name=op.f("fk_render_consent_consent_id_consent")
        ),
        sa.PrimaryKeyConstraint("render_id", "consent_id", name=op.f("pk_render_consent")),
    )
    op.create_index(op.f("ix_render_consent_consent_id"), "render_consent", ["consent_id"])
    op.add_column("render", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("render", sa.Column("withdrawn_reason", sa.Text(), nullable=True))
    op.add_column(
        "artifact",
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.add_column("artifact", sa.Column("evicted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_artifact_used_at"), "artifact", ["used_at"])


def downgrade() -> None:
    """Back to a link from each avatar and voice to its newest consent."""
    op.drop_index(op.f("ix_artifact_used_at"), table_name="artifact")
    op.drop_column("artifact", "evicted_at")
    op.drop_column("artifact", "used_at")
    op.drop_column("render", "withdrawn_reason")
    op.drop_column("render", "withdrawn_at")
    op.drop_table("render_consent")
    for table, material in (("avatar", "avatar.sha256"), ("voice", _VOICE)):
        op.add_column(table, sa.Column("consent_id", sa.Text(), nullable=True))
        op.create_foreign_key(
            op.f(f"fk_{table}_consent_id_consent"), table, "consent", ["consent_id"], ["id"]
        )
        newest = sa.text(
            f"UPDATE {table} SET consent_id = (SELECT id FROM consent WHERE material = {material} "  # noqa: S608
            "ORDER BY created_at DESC LIMIT 1)"
        )
        op.execute(newest)
    op.drop_index("ix_consent_material", table_name="consent")
    op.drop_constraint(op.f("ck_consent_evidence_given"), "consent")
    op.drop_constraint(op.f("ck_consent_kind_known"), "consent")
    for column in ("revoked_reason", "terms", "scope", "material"):
        op.drop_column("consent", column)
