"""Until when a task may begin, and what its caller knows of it."""

from __future__ import annotations

import sqlalchemy as sa

from trove.db import Instant
from trove.migrations.steps import add_column

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for name in ("expires_at", "handed_at", "abandoned_at"):
        add_column("tasks", sa.Column(name, Instant()))
