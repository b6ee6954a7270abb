"""Alembic's entry: a transaction for each migration, so that no lock outlives what it is for."""

from alembic import context

from avatarlab_ops.stores.catalog.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transaction_per_migration=True,
    version_table="avatarlab_version",  # the database may also hold Airflow's tables
)
with context.begin_transaction():
    context.run_migrations()
