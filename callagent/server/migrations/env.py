# SPDX-License-Identifier: GPL-3.0-or-later
"""What alembic runs: the migrations on the connection that `storage.migrate` hands in."""

from alembic import context

from callagent.server.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
# No transaction of alembic's own: the caller's one holds all of it or nothing.
context.run_migrations()
