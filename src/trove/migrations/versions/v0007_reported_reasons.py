"""What agents report of the reason why an engine is not healthy."""

from __future__ import annotations

import sqlalchemy as sa

from trove.migrations.steps import add_column

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    add_column("agents", sa.Column("volume_total", sa.Double()))
    add_column("agents", sa.Column("error", sa.Text()))
