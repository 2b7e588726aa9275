"""What of an order was ignored, and who has which address."""

from __future__ import annotations

import sqlalchemy as sa

from trove.migrations.steps import add_column, create_index

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    add_column("instances", sa.Column("ignored", sa.JSON()))
    create_index("instances_by_address", "instances", ["deleted_at", "address"])
