"""Run by Alembic: on the connection that `trove.migrations` opened, in its transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    compare_type=True,
)
context.run_migrations()
