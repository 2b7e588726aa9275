"""The engines of a machine become versions, once."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from trove.datastores.base import Installation as Engine
from trove.models import Datastore, DatastoreVersion
from trove.services.discovery import register
from trove.testing.world import Cloud


def engine(manager: str, version: str) -> Engine:
    return Engine(manager, version, Path(f"/opt/{manager}-{version}"))


def known(cloud: Cloud) -> dict[str, str]:
    with cloud.database.session() as session:
        versions = session.scalars(select(DatastoreVersion)).all()
        return {f"{v.datastore.name} {v.name}": v.number for v in versions}


def test_versions_are_registered_by_series(cloud: Cloud) -> None:
    engines = [engine("postgresql", "15.21"), engine("mariadb", "10.11.19")]
    for _ in range(2):
        with cloud.database.begin() as session:
            register(session, engines)
    assert known(cloud) == {"postgresql 15": "15.21", "mariadb 10.11": "10.11.19"}


def test_the_newest_is_the_default_unless_one_was_chosen(cloud: Cloud) -> None:
    engines = [engine("mariadb", v) for v in ("10.5.23", "11.8.6", "10.11.19", "beta")]
    with cloud.database.begin() as session:
        register(session, engines)
    with cloud.database.begin() as session:
        datastore = session.scalars(select(Datastore).where(Datastore.name == "mariadb")).one()
        default = session.get_one(DatastoreVersion, datastore.default_version_id)
        assert default.name == "11.8"
        other = next(v for v in datastore.versions if v.name == "10.5")
        datastore.default_version_id = other.id
    with cloud.database.begin() as session:
        register(session, [engine("mariadb", "12.0.1")])
        datastore = session.scalars(select(Datastore).where(Datastore.name == "mariadb")).one()
        assert datastore.default_version_id == other.id
