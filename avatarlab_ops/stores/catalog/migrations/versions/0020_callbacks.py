"""An order may name an address that is told of its end."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """An endpoint without an address signs for callbacks; a delivery knows where it goes."""
    op.alter_column("webhook_endpoint", "url", nullable=True)
    op.create_index(
        "uq_webhook_endpoint_callbacks",
        "webhook_endpoint",
        ["caller"],
        unique=True,
        postgresql_where=sa.text("url IS NULL"),
    )
    op.create_table(
        "webhook_callback",
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("render_id", name="pk_webhook_callback"),
        sa.ForeignKeyConstraint(
            ["render_id"], ["render.id"], name="fk_webhook_callback_render_id_render", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name="fk_webhook_callback_endpoint_id_webhook_endpoint",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_webhook_callback_endpoint_id", "webhook_callback", ["endpoint_id"])
    op.add_column("webhook_delivery", sa.Column("url", sa.Text(), nullable=True))
    op.execute(
        "UPDATE webhook_delivery SET url = endpoint.url FROM webhook_endpoint AS endpoint "
        "WHERE endpoint.id = endpoint_id"
    )
    op.alter_column("webhook_delivery", "url", nullable=False)


def downgrade() -> None:
    """Nobody is called back; what was on its way there is gone."""
    op.drop_column("webhook_delivery", "url")
    op.drop_table("webhook_callback")
    op.execute("DELETE FROM webhook_endpoint WHERE url IS NULL")
    op.drop_index("uq_webhook_endpoint_callbacks", "webhook_endpoint")
    op.alter_column("webhook_endpoint", "url", nullable=False)
