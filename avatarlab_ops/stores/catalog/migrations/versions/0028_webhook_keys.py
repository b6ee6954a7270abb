"""Webhooks are signed with a key pair, too; one that is there gets its pair when its secret is rotated."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Two columns, which cost nothing."""
    op.add_column("webhook_endpoint", sa.Column("signing_key", sa.Text(), nullable=True))
    op.add_column("webhook_endpoint", sa.Column("former_signing_key", sa.Text(), nullable=True))


def downgrade() -> None:
    """The secret signs alone."""
    op.drop_column("webhook_endpoint", "former_signing_key")
    op.drop_column("webhook_endpoint", "signing_key")
