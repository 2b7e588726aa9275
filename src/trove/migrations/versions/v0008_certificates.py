"""The certificate that each instance presents, shown with its expiry."""

from __future__ import annotations

import sqlalchemy as sa

from trove.migrations.steps import add_column

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    add_column("agents", sa.Column("certificate", sa.Text()))
