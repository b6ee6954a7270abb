"""Alembic's entry: runs inside the transaction that `catalog.migrate` opened."""

from alembic import context

from avatarlab_ops.stores.catalog.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table="avatarlab_version",  # the database may also hold Airflow's tables
)
with context.begin_transaction():
    context.run_migrations()
