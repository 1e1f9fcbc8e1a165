"""Where Alembic begins: it works on the connection, and in the transaction, that the key store opened."""

from alembic import context

from services.router.adapters.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
with context.begin_transaction():
    context.run_migrations()
