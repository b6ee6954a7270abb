"""What admission saw of a face, for each part of a clip, instead of whether it looked."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Faces are looked at again: sizes and beginnings were not kept."""
    op.drop_column("input_object", "face_checked")
    op.add_column("input_object", sa.Column("looks", JSONB(), server_default=sa.text("'{}'"), nullable=False))


def downgrade() -> None:
    """Nothing was looked at."""
    op.drop_column("input_object", "looks")
    op.add_column(
        "input_object", sa.Column("face_checked", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
