"""Registers the engines that a machine has, so that tenants may request them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from trove.datastores import manifest_of
from trove.datastores.base import Installation as Engine
from trove.models.datastore import DatastoreVersion
from trove.services.datastores import ensure_datastore


def register(session: Session, engines: Iterable[Engine]) -> list[DatastoreVersion]:
    """Make each engine a version of the datastore of its name; repeatable.

    A version is called by what its data files are compatible with (`15`, `10.11`), so a minor
    upgrade of the machine's packages moves the number of the version that is there. The newest
    version of a datastore becomes its default, unless an operator has chosen one.
    """
    return [_register_one(session, engine) for engine in sorted(engines, key=_age)]


def _register_one(session: Session, engine: Engine) -> DatastoreVersion:
    datastore = ensure_datastore(session, engine.manager)
    name = series_of(engine)
    version = session.scalars(
        select(DatastoreVersion)
        .where(DatastoreVersion.datastore_id == datastore.id, DatastoreVersion.name == name)
        .order_by(DatastoreVersion.deleted_at.is_not(None))
    ).first()
    if version is None:
        version = DatastoreVersion(
            datastore_id=datastore.id, name=name, number="", manager=engine.manager
        )
        session.add(version)
    # What an operator has deleted comes back with the engine; what was disabled stays disabled.
    version.deleted_at = None
    version.number, version.image = engine.version, str(engine.directory)
    session.flush()
    datastore.default_version_id = datastore.default_version_id or version.id
    return version


def series_of(engine: Engine) -> str:
    """The first parts of the version, as many as the manifest says: `10.11` of 10.11.19."""
    return ".".join(engine.version.split(".")[: manifest_of(engine.manager).series_parts])


def _age(engine: Engine) -> tuple[str, list[int]]:
    """Newest first within a manager, so that the newest becomes the default."""
    digits = [int("".join(filter(str.isdigit, part)) or 0) for part in engine.version.split(".")]
    return engine.manager, [-digit for digit in digits]
