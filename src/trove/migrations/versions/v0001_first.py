"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa

from trove.db import Instant
from trove.migrations.steps import create_index, create_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    _operations()
    _events()
    _quotas()
    _quota_usages()
    _idempotent_requests()
    _datastores()
    _login_failures()
    _projects()
    _datastore_versions()
    _users()
    _application_credentials()
    _instances()
    _role_assignments()
    _agents()
    _tasks()
    _tokens()


def _operations() -> None:
    create_table(
        "operations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("workflow", sa.String(64), nullable=False),
        sa.Column("subject_id", sa.String(36), nullable=False),
        sa.Column("active_subject_id", sa.String(36), unique=True),
        sa.Column("parent_id", sa.String(36)),
        sa.Column("project_id", sa.String(64)),
        sa.Column("request_id", sa.String(64)),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("step_since", Instant(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("wakeups", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant()),
        sa.Column("lease_until", Instant(), nullable=False),
        sa.Column("lease_token", sa.String(36)),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
    )
    create_index("operations_due", "operations", ["due_at"])
    create_index("operations_of_parent", "operations", ["parent_id"])
    create_index("operations_of_project", "operations", ["project_id", "created_at"])
    create_index("operations_of_subject", "operations", ["subject_id", "created_at"])


def _events() -> None:
    create_table(
        "events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("project_id", sa.String(64)),
        sa.Column("subject_id", sa.String(36)),
        sa.Column("operation_id", sa.String(36)),
        sa.Column("user_id", sa.String(64)),
        sa.Column("request_id", sa.String(64)),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
    )
    create_index("events_of_project", "events", ["project_id", "id"])
    create_index("events_of_subject", "events", ["subject_id", "id"])


def _quotas() -> None:
    create_table(
        "quotas",
        sa.Column("project_id", sa.String(64), primary_key=True),
        sa.Column("resource", sa.String(32), primary_key=True),
        sa.Column("limit", sa.Integer(), nullable=False),
    )


def _quota_usages() -> None:
    create_table(
        "quota_usages",
        sa.Column("project_id", sa.String(64), primary_key=True),
        sa.Column("resource", sa.String(32), primary_key=True),
        sa.Column("in_use", sa.Integer(), nullable=False),
    )


def _idempotent_requests() -> None:
    create_table(
        "idempotent_requests",
        sa.Column("project_id", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("body", sa.Text()),
        sa.Column("created_at", Instant(), nullable=False),
    )


def _datastores() -> None:
    create_table(
        "datastores",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("default_version_id", sa.String(36)),
        sa.Column("created_at", Instant(), nullable=False),
    )


def _login_failures() -> None:
    create_table(
        "login_failures",
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
    )
    create_index("ix_login_failures_last_at", "login_failures", ["last_at"])


def _projects() -> None:
    create_table(
        "projects",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
    )


def _datastore_versions() -> None:
    create_table(
        "datastore_versions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("datastore_id", sa.String(36), sa.ForeignKey("datastores.id"), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("manager", sa.String(64), nullable=False),
        sa.Column("image", sa.String(255)),
        sa.Column("image_tags", sa.JSON(), nullable=False),
        sa.Column("packages", sa.JSON(), nullable=False),
        sa.Column("registry_ext", sa.String(255)),
        sa.Column("repl_strategy", sa.String(255)),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.UniqueConstraint("datastore_id", "name", "number"),
    )


def _users() -> None:
    create_table(
        "users",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("default_project_id", sa.String(64), sa.ForeignKey("projects.id")),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
    )


def _application_credentials() -> None:
    create_table(
        "application_credentials",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("project_id", sa.String(64), sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.String(255)),
        sa.Column("unrestricted", sa.Boolean(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("expires_at", Instant()),
        sa.Column("created_at", Instant(), nullable=False),
        sa.UniqueConstraint("user_id", "name"),
    )


def _instances() -> None:
    create_table(
        "instances",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column(
            "datastore_version_id",
            sa.String(36),
            sa.ForeignKey("datastore_versions.id"),
            nullable=False,
        ),
        sa.Column("flavor_id", sa.String(255), nullable=False),
        sa.Column("memory", sa.Integer(), nullable=False),
        sa.Column("vcpus", sa.Integer(), nullable=False),
        sa.Column("volume_size", sa.Integer(), nullable=False),
        sa.Column("volume_type", sa.String(255)),
        sa.Column("availability_zone", sa.String(255)),
        sa.Column("region", sa.String(255)),
        sa.Column("locality", sa.String(32)),
        sa.Column("nics", sa.JSON(), nullable=False),
        sa.Column("access", sa.JSON(), nullable=False),
        sa.Column("replica_of", sa.String(36), sa.ForeignKey("instances.id")),
        sa.Column("address", sa.String(64)),
        sa.Column("port", sa.Integer()),
        sa.Column("volume_id", sa.String(255)),
        sa.Column("server_id", sa.String(255)),
        sa.Column("unenforced", sa.JSON(), nullable=False),
        sa.Column("last_operation_id", sa.String(36)),
        sa.Column("root_enabled_at", Instant()),
        sa.Column("root_enabled_by", sa.String(64)),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant()),
    )
    create_index("instances_by_age", "instances", ["deleted_at", "created_at", "id"])
    create_index(
        "instances_of_project", "instances", ["project_id", "deleted_at", "created_at", "id"]
    )
    create_index("ix_instances_replica_of", "instances", ["replica_of"])


def _role_assignments() -> None:
    create_table(
        "role_assignments",
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("project_id", sa.String(64), sa.ForeignKey("projects.id"), primary_key=True),
        sa.Column("role", sa.String(64), primary_key=True),
    )


def _agents() -> None:
    create_table(
        "agents",
        sa.Column("instance_id", sa.String(36), sa.ForeignKey("instances.id"), primary_key=True),
        sa.Column("enrolment_digest", sa.String(64), unique=True),
        sa.Column("enrolment_expires_at", Instant()),
        sa.Column("credential_digest", sa.String(64), unique=True),
        sa.Column("protocol", sa.Integer()),
        sa.Column("version", sa.String(64)),
        sa.Column("engine_state", sa.String(32)),
        sa.Column("engine_version", sa.String(64)),
        sa.Column("volume_used", sa.Double()),
        sa.Column("accounts", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("reported_at", Instant()),
    )


def _tasks() -> None:
    create_table(
        "tasks",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("instance_id", sa.String(36), sa.ForeignKey("instances.id"), nullable=False),
        sa.Column("operation_id", sa.String(36)),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("sealed_args", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(64)),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("result", sa.JSON()),
        sa.Column("error", sa.Text()),
        sa.Column("error_kind", sa.String(32)),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("answered_at", Instant()),
    )
    create_index("tasks_open", "tasks", ["answered", "created_at"])
    create_index("tasks_pending", "tasks", ["instance_id", "answered", "created_at"])


def _tokens() -> None:
    create_table(
        "tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("project_id", sa.String(64), sa.ForeignKey("projects.id")),
        sa.Column(
            "application_credential_id", sa.String(36), sa.ForeignKey("application_credentials.id")
        ),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
    )
    create_index("ix_tokens_application_credential_id", "tokens", ["application_credential_id"])
    create_index("ix_tokens_expires_at", "tokens", ["expires_at"])
    create_index("ix_tokens_user_id", "tokens", ["user_id"])
