"""Prints of how published videos move: without its own sound one is recognised by its picture."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Videos that were published before have none."""
    op.create_table(
        "picture_print",
        sa.Column("artifact", sa.Text(), nullable=False),
        sa.Column("words", ARRAY(sa.Integer()), nullable=False),
        sa.Column("curves", sa.LargeBinary(), nullable=False),
        sa.Column("look", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact"], ["artifact.fingerprint"], name=op.f("fk_picture_print_artifact_artifact")
        ),
        sa.PrimaryKeyConstraint("artifact", name=op.f("pk_picture_print")),
    )
    op.create_index("ix_picture_print_words", "picture_print", ["words"], postgresql_using="gin")


def downgrade() -> None:
    """No picture is recognised."""
    op.drop_table("picture_print")
