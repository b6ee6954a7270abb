"""A render may have a deadline.

The index is built while others write on, outside of a transaction; one that was cut short is built anew.
"""

from alembic import op

revision = "0032"
down_revision = "0031"
COLUMNS = ("deadline", "late_told_at")
DUE = "render (deadline, id) WHERE deadline IS NOT NULL AND state IN ('accepted', 'running')"


def upgrade() -> None:
    """Two columns, which cost nothing, and an index of the few open renders that have a deadline."""
    for name in COLUMNS:
        op.execute(f"ALTER TABLE render ADD COLUMN IF NOT EXISTS {name} timestamptz")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_render_due")
        op.execute(f"CREATE INDEX CONCURRENTLY ix_render_due ON {DUE}")


def downgrade() -> None:
    """No render has one."""
    op.drop_index("ix_render_due", "render")
    for name in COLUMNS:
        op.drop_column("render", name)
