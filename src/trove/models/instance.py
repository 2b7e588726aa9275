"""A database server that a project owns.

Everything that an instance has in the infrastructure has one derived name, so that any process
finds it again to finish or remove it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import Base, Id, JsonObject, Name, Word, new_id, utcnow

PREFIX = "trove-"


class Instance(Base):
    """One row for each instance, kept after deletion with `deleted_at` set."""

    __tablename__ = "instances"
    __table_args__ = (
        Index("instances_of_project", "project_id", "deleted_at", "created_at", "id"),
        Index("instances_by_name", "project_id", "name", "deleted_at", "created_at", "id"),
        Index("instances_by_age", "deleted_at", "created_at", "id"),
        Index("instances_by_address", "deleted_at", "address"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    project_id: Mapped[Word]
    name: Mapped[Name]
    datastore_version_id: Mapped[str] = mapped_column(ForeignKey("datastore_versions.id"))
    flavor_id: Mapped[Name]
    memory: Mapped[int]
    """MiB, the flavor's at the last create or resize."""
    vcpus: Mapped[int]
    volume_size: Mapped[int]
    """GiB."""
    volume_type: Mapped[str | None] = mapped_column(String(255))
    availability_zone: Mapped[str | None] = mapped_column(String(255))
    region: Mapped[str | None] = mapped_column(String(255))
    locality: Mapped[str | None] = mapped_column(String(32))
    nics: Mapped[list[Any]] = mapped_column(JSON, default=list)
    access: Mapped[JsonObject] = mapped_column(JSON, default=dict)
    """{"is_public": bool, "allowed_cidrs": [str]}"""
    replica_of: Mapped[str | None] = mapped_column(ForeignKey("instances.id"), index=True)
    address: Mapped[str | None] = mapped_column(String(64))
    port: Mapped[int | None]
    volume_id: Mapped[str | None] = mapped_column(String(255))
    server_id: Mapped[str | None] = mapped_column(String(255))
    unenforced: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Which of the limits that the flavor and volume promise this machine does not hold."""
    ignored: Mapped[list[str] | None] = mapped_column(JSON)
    """Which of the order's wishes were dropped; None of instances made before it was recorded."""
    last_operation_id: Mapped[str | None] = mapped_column(String(36))
    """The newest operation, from which the status is derived; None after a reset of the status."""
    root_enabled_at: Mapped[datetime | None]
    root_enabled_by: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    deleted_at: Mapped[datetime | None]

    @property
    def resource_name(self) -> str:
        """The one name of everything that this instance has in the infrastructure."""
        return resource_name_of(self.id)


def resource_name_of(instance_id: str) -> str:
    return f"{PREFIX}{instance_id}"


def instance_id_of(resource_name: str) -> str:
    return resource_name.removeprefix(PREFIX)
