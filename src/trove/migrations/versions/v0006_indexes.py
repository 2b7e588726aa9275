"""Indexes for what lists filter by, and for what is removed by age."""

from __future__ import annotations

from trove.migrations.steps import create_index

revision = "0006"
down_revision = "0005"

INDEXES = {
    "instances_by_name": ("instances", ["project_id", "name", "deleted_at", "created_at", "id"]),
    "operations_by_state": ("operations", ["project_id", "state", "created_at"]),
    "operations_by_workflow": ("operations", ["project_id", "workflow", "created_at"]),
    "operations_by_age": ("operations", ["created_at", "id"]),
    "events_of_operation": ("events", ["operation_id", "id"]),
    "events_of_project_by_kind": ("events", ["project_id", "kind", "id"]),
    "events_by_kind": ("events", ["kind", "id"]),
    "events_by_age": ("events", ["created_at"]),
    "ix_idempotent_requests_created_at": ("idempotent_requests", ["created_at"]),
}


def upgrade() -> None:
    for name, (table, columns) in INDEXES.items():
        create_index(name, table, columns)
