"""Metadata databases of `trove-manage orphans`, and its configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from trove import migrations
from trove.db import Database
from trove.models import Datastore, DatastoreVersion, Instance

DELETED_AT = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)


def metadata_in(directory: Path) -> Path:
    """An empty metadata database in this state directory."""
    directory.mkdir(parents=True, exist_ok=True)
    migrations.upgrade(f"sqlite:///{directory}/trove.sqlite")
    return directory


def config_of(directory: Path, *lines: str) -> Path:
    """Settings with this state directory."""
    path = directory / "trove.conf"
    path.write_text("\n".join(("[DEFAULT]", f"state_directory={directory}", *lines, "")))
    return path


def add_deleted_instance(directory: Path, instance_id: str) -> None:
    """The row that is left of an instance."""
    database = Database(f"sqlite:///{directory}/trove.sqlite")
    with database.begin() as session:
        version = DatastoreVersion(name="15", number="15.20", manager="postgresql")
        version.datastore = Datastore(name="postgresql")
        session.add(version)
        session.flush()
        row = Instance(
            id=instance_id,
            project_id="shop",
            name="db",
            datastore_version_id=version.id,
            flavor_id="2",
            memory=512,
            vcpus=1,
            volume_size=1,
            deleted_at=DELETED_AT,
        )
        session.add(row)
    database.dispose()
