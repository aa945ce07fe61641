"""Alembic's entry: runs the migrations over the connection that it was handed, in that connection's transaction."""

from alembic import context

from adapters.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
