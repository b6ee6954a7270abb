"""Ordered renders wait in line until there is room for their runs."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """A new table; what was ordered before begins as ever."""
    op.create_table(
        "render_order",
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("work_s", sa.Float(), nullable=False),
        sa.Column("gpu_s", sa.Float(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("turn", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_render_order_render_id_render")),
        sa.PrimaryKeyConstraint("render_id", name=op.f("pk_render_order")),
    )
    for name, columns, where in (
        ("ix_render_order_waiting", ["priority", "caller"], "begun_at IS NULL"),
        ("ix_render_order_begun", ["begun_at"], "begun_at IS NOT NULL"),
        ("ix_render_order_interactive", ["caller", "placed_at"], "priority = 0"),
    ):
        op.create_index(name, "render_order", columns, postgresql_where=sa.text(where))
    op.create_index("uq_render_order_turn", "render_order", ["turn"], unique=True)


def downgrade() -> None:
    """Whatever waits in line begins at once."""
    op.execute("UPDATE outbox SET next_at = now() WHERE topic = 'runs' AND delivered_at IS NULL")
    op.drop_table("render_order")
