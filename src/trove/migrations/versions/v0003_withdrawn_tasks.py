"""The state of the operation that dispatched a task, by which it is withdrawn."""

from __future__ import annotations

import sqlalchemy as sa

from trove.migrations.steps import add_column

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    add_column("tasks", sa.Column("operation_state", sa.String(16)))
