"""What migrations are made of: each step may be repeated.

Law: MariaDB commits every statement by itself, so an upgrade that was killed is begun again by the
next one, and skips what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from trove.db import MYSQL_OPTIONS


def create_table(name: str, *parts: sa.Column[object] | sa.UniqueConstraint) -> None:
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *parts, **MYSQL_OPTIONS)


def create_index(name: str, table: str, columns: Sequence[str]) -> None:
    if not sa.inspect(op.get_bind()).has_index(table, name):
        op.create_index(name, table, columns)


def has_column(table: str, name: str) -> bool:
    return any(c["name"] == name for c in sa.inspect(op.get_bind()).get_columns(table))


def add_column(table: str, column: sa.Column[Any]) -> None:
    """The column must allow NULL: the table may have rows."""
    if not has_column(table, column.name):
        op.add_column(table, column)


def drop_column(table: str, name: str) -> None:
    """With the constraints that it has; SQLite's table is copied for that."""
    if has_column(table, name):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(name)
