"""How does Alembic reach the registry? Through the connection that picdeed hands it."""

from alembic import context

from picdeed.registry.schema import metadata

if context.is_offline_mode():
    raise SystemExit("picdeed's migrations run on an open connection only: use picdeed init")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    compare_type=True,
    render_as_batch=True,  # SQLite cannot alter a column in place
    transactional_ddl=True,  # a killed migration leaves nothing behind, on SQLite too
)
with context.begin_transaction():
    context.run_migrations()
