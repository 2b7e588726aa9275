"""Datastores and versions that were deleted, for the deleted instances that were of them."""

from __future__ import annotations

import sqlalchemy as sa

from trove.db import Instant
from trove.migrations.steps import add_column

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for table in ("datastores", "datastore_versions"):
        add_column(table, sa.Column("deleted_at", Instant()))
