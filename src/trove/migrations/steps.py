"""What migrations are made of: each step may be repeated.

Law: MariaDB commits every statement by itself, so an upgrade that was killed is begun again by the
next one, and skips what is there.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from trove.db import MYSQL_OPTIONS


def create_table(name: str, *parts: sa.Column[object] | sa.UniqueConstraint) -> None:
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *parts, **MYSQL_OPTIONS)


def create_index(name: str, table: str, columns: Sequence[str]) -> None:
    if not sa.inspect(op.get_bind()).has_index(table, name):
        op.create_index(name, table, columns)
