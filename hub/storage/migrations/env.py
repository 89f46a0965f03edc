"""Alembic's entry: runs the migrations on the connection it is handed."""

from __future__ import annotations

from alembic import context

from hub.faults import fault
from hub.storage import search
from hub.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_name=search.is_table,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
    on_version_apply=lambda **_: fault("migration.one_applied"),
)
fault("migration.before_first")
context.run_migrations()
fault("migration.before_commit")
