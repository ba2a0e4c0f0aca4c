"""Alembic's entry: runs the migrations on the connection that ``api.records`` hands over."""

from __future__ import annotations

from alembic import context

from api.orm import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
