"""What tenants may order: datastores and their versions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint, and_
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trove.db import Base, Id, Name, new_id, utcnow


class Datastore(Base):
    """A kind of engine under the name that tenants use."""

    __tablename__ = "datastores"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    default_version_id: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    deleted_at: Mapped[datetime | None]
    """Kept, and offered to no one, for the instances of its versions that were deleted."""
    versions: Mapped[list[DatastoreVersion]] = relationship(
        back_populates="datastore",
        lazy="selectin",
        primaryjoin=lambda: and_(
            Datastore.id == DatastoreVersion.datastore_id, DatastoreVersion.deleted_at.is_(None)
        ),
    )
    """Without those that were deleted."""


class DatastoreVersion(Base):
    """One version of a datastore; `manager` names the folder in `trove.datastores`."""

    __tablename__ = "datastore_versions"
    __table_args__ = (UniqueConstraint("datastore_id", "name", "number"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    datastore_id: Mapped[str] = mapped_column(ForeignKey("datastores.id"))
    name: Mapped[Name]
    number: Mapped[str] = mapped_column(String(64))
    manager: Mapped[str] = mapped_column(String(64))
    image: Mapped[str | None] = mapped_column(String(255))
    """What the provider makes a server from: locally, the directory of the engine's programs."""
    image_tags: Mapped[list[str]] = mapped_column(JSON, default=list)
    packages: Mapped[list[str]] = mapped_column(JSON, default=list)
    registry_ext: Mapped[str | None] = mapped_column(String(255))
    repl_strategy: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    deleted_at: Mapped[datetime | None]
    """As above; the next registration under this name takes the row again."""
    datastore: Mapped[Datastore] = relationship(back_populates="versions", lazy="joined")
