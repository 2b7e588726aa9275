"""Claims in place of `operations.active_subject_id`; results, secrets and the turning point of an
operation in columns of their own; arguments of tasks that are no secret beside the sealed ones."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from trove.migrations.steps import add_column, create_index, create_table, drop_column, has_column

revision = "0002"
down_revision = "0001"

MOVED = {"sealed": "sealed", "turned_back_at": "turned_back_at"}
"""Arguments of operations that have columns of their own now."""


def upgrade() -> None:
    create_table(
        "claimed_resources",
        sa.Column("resource", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(36)),
        sa.Column("shared", sa.Integer(), nullable=False),
    )
    create_table(
        "claims",
        sa.Column("operation_id", sa.String(36), primary_key=True),
        sa.Column("resource", sa.String(64), primary_key=True),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
    )
    create_index("claims_of_resource", "claims", ["resource", "released"])
    add_column("operations", sa.Column("results", sa.JSON()))
    add_column("operations", sa.Column("sealed", sa.Text()))
    add_column("operations", sa.Column("turned_back_at", sa.String(64)))
    add_column("tasks", sa.Column("args", sa.JSON()))
    _fill()
    drop_column("operations", "active_subject_id")


def _fill() -> None:
    connection = op.get_bind()
    if has_column("operations", "active_subject_id"):
        for statement in _claim_what_is_active():
            connection.execute(sa.text(statement))
    # Steps of superseded operations may still be running: successors wait for them.
    connection.execute(
        sa.text(
            "INSERT INTO claims (operation_id, resource, mode, released)"
            " SELECT id, subject_id, 'exclusive', TRUE FROM operations o"
            " WHERE state = 'superseded' AND NOT EXISTS"
            " (SELECT 1 FROM claims c WHERE c.operation_id = o.id)"
        )
    )
    operations = sa.table(
        "operations",
        sa.column("id", sa.String()),
        sa.column("args", sa.JSON()),
        sa.column("sealed", sa.Text()),
        sa.column("turned_back_at", sa.String()),
    )
    for row in connection.execute(sa.select(operations.c.id, operations.c.args)).all():
        args = _decoded(row.args)
        moved = {column: args.pop(name) for name, column in MOVED.items() if name in args}
        if moved:
            mine = sa.update(operations).where(operations.c.id == row.id)
            connection.execute(mine.values(args=args, **moved))


def _claim_what_is_active() -> tuple[str, str]:
    return (
        "INSERT INTO claimed_resources (resource, holder, shared)"
        " SELECT active_subject_id, id, 0 FROM operations o WHERE active_subject_id IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM claimed_resources r WHERE r.resource = o.subject_id)",
        "INSERT INTO claims (operation_id, resource, mode, released)"
        " SELECT id, active_subject_id, 'exclusive', FALSE FROM operations o"
        " WHERE active_subject_id IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.operation_id = o.id)",
    )


def _decoded(value: Any) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else {}
