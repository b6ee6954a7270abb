"""Prints of what published videos say: one that lost its credentials is recognised by its sound."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Videos that were published before have none."""
    op.create_table(
        "sound_print",
        sa.Column("artifact", sa.Text(), nullable=False),
        sa.Column("words", ARRAY(sa.Integer()), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact"], ["artifact.fingerprint"], name=op.f("fk_sound_print_artifact_artifact")
        ),
        sa.PrimaryKeyConstraint("artifact", name=op.f("pk_sound_print")),
    )
    op.create_index("ix_sound_print_words", "sound_print", ["words"], postgresql_using="gin")


def downgrade() -> None:
    """No sound is recognised."""
    op.drop_table("sound_print")
