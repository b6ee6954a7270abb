"""Bulk runs, measured rates, and what a render was predicted to cost."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables, the column and the index."""
    op.add_column("render", sa.Column("predicted", postgresql.JSONB(), nullable=True))
    spent = sa.text("state = 'done'")
    op.create_index("ix_stage_run_spent", "stage_run", ["ended_at"], postgresql_where=spent)
    op.create_table(
        "rate",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("side_px", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("n", "x", "y", "xx", "xy")),
        sa.PrimaryKeyConstraint("stage", "engine", "side_px", name=op.f("pk_rate")),
    )
    op.create_table(
        "bulk_run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("spec", postgresql.JSONB(), nullable=False),
        sa.Column("spec_sha256", sa.Text(), nullable=False),
        sa.Column("template_uri", sa.Text(), nullable=True),
        sa.Column("template_sha256", sa.Text(), nullable=True),
        sa.Column("problems", postgresql.JSONB(), nullable=False),
        sa.Column("counts", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_run")),
    )
    op.create_index(op.f("ix_bulk_run_template_uri"), "bulk_run", ["template_uri"])
    _items()


def _items() -> None:
    op.create_table(
        "bulk_item",
        sa.Column("bulk_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.Column("request", postgresql.JSONB(), nullable=False),
        sa.Column("variables", postgresql.JSONB(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("predicted_gpu_s", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("render_id", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'published', 'failed', 'cancelled')", name=op.f("ck_bulk_item_state_known")
        ),
        sa.ForeignKeyConstraint(["bulk_id"], ["bulk_run.id"], name=op.f("fk_bulk_item_bulk_id_bulk_run")),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_bulk_item_render_id_render")),
        sa.ForeignKeyConstraint(["source"], ["render.id"], name=op.f("fk_bulk_item_source_render")),
        sa.PrimaryKeyConstraint("bulk_id", "number", name=op.f("pk_bulk_item")),
        sa.UniqueConstraint("bulk_id", "key", name=op.f("uq_bulk_item_bulk_id_key")),
        sa.UniqueConstraint("bulk_id", "render_id", name=op.f("uq_bulk_item_bulk_id_render_id")),
    )
    op.create_index("ix_bulk_item_batch", "bulk_item", ["bulk_id", "batch"])
    op.create_index(op.f("ix_bulk_item_render_id"), "bulk_item", ["render_id"])
    op.create_index(op.f("ix_bulk_item_source"), "bulk_item", ["source"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("bulk_item")
    op.drop_table("bulk_run")
    op.drop_table("rate")
    op.drop_index("ix_stage_run_spent", table_name="stage_run")
    op.drop_column("render", "predicted")
