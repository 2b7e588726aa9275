"""Which engines tenants may order."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from sqlalchemy import select

from trove.cli.command import Command, arg
from trove.cli.manage.operator import OPERATOR, opened
from trove.cli.table import print_table
from trove.datastores.discovery import installed_engines
from trove.db import Database
from trove.errors import NotFound
from trove.models import Datastore, DatastoreVersion
from trove.services import datastores
from trove.services.datastores import VersionChange, VersionOrder
from trove.services.discovery import register
from trove.services.installation import Installation
from trove.settings import Settings


def discover(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        found = installed_engines(asked.path)
        with installation.database.begin() as session:
            rows = [
                (version.datastore.name, version.name, version.number, version.image)
                for version in register(session, found)
            ]
    if not rows:
        raise NotFound("no engine was found; install one, or name its directory with --path")
    print_table(("Datastore", "Version", "Number", "Programs"), rows)


def update(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        datastore = _ensure_datastore(installation.database, asked.datastore)
        # Scripts pass '' where they only want the datastore to be there.
        if asked.default_version:
            version = datastores.version_of(
                installation, OPERATOR, datastore.id, asked.default_version
            )
            _change(installation, version, VersionChange(default=True))
    print(f"datastore {asked.datastore} updated, default {asked.default_version or 'unchanged'}")


def update_version(settings: Settings, asked: Namespace) -> None:
    tags, packages = _words(asked.image_tags), _words(asked.packages)
    with opened(settings) as installation:
        version = _version(installation.database, asked)
        if version is not None:
            change = VersionChange(
                manager=asked.manager,
                image=asked.image_id or None,
                # None leaves what is there; an empty list would take it away.
                image_tags=tags or None,
                packages=packages,
                active=asked.active == "1",
            )
            _change(installation, version, change)
        else:
            order = VersionOrder(
                name=asked.version,
                datastore_name=asked.datastore,
                manager=asked.manager,
                image=asked.image_id or None,
                image_tags=tags,
                packages=packages,
                active=asked.active == "1",
                number=asked.number,
            )
            datastores.create_version(installation, OPERATOR, order)
    print(f"datastore version {asked.datastore} {asked.version} {'changed' if version else 'made'}")


def _ensure_datastore(database: Database, name: str) -> Datastore:
    with database.begin() as session:
        found = session.scalars(select(Datastore).where(Datastore.name == name)).first()
        if found is None:
            found = Datastore(name=name)
            session.add(found)
            session.flush()
    return found


def _version(database: Database, asked: Namespace) -> DatastoreVersion | None:
    """The version that is meant; of several with one name, that with the number."""
    query = (
        select(DatastoreVersion)
        .join(Datastore)
        .where(Datastore.name == asked.datastore, DatastoreVersion.name == asked.version)
    )
    if asked.number:
        # Several versions may share a name and differ in their number.
        query = query.where(DatastoreVersion.number == asked.number)
    with database.session() as session:
        return session.scalars(query).first()


def _change(installation: Installation, version: DatastoreVersion, change: VersionChange) -> None:
    datastores.change_version(installation, OPERATOR, version.id, change)


def _words(text: str) -> Sequence[str]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


_DATASTORE = arg("datastore", help="its name")
_VERSION = arg("version", help="the version's name")

COMMANDS = (
    Command(
        "datastore_discover",
        "Register the engines that are installed on this machine; safe to repeat.",
        "trove-manage datastore_discover --path /opt/postgresql/17",
        (
            arg(
                "--path",
                action="append",
                default=[],
                metavar="DIRECTORY",
                help="look here first (may be repeated)",
            ),
        ),
        discover,
    ),
    Command(
        "datastore_update",
        "Make a datastore, or choose its default version.",
        "trove-manage datastore_update postgresql 15",
        (
            arg("datastore", metavar="datastore_name"),
            arg("default_version", help="name, number or id; '' leaves it as it is"),
        ),
        update,
    ),
    Command(
        "datastore_version_update",
        "Make or change a datastore version.",
        "trove-manage datastore_version_update db 10.11 mariadb /usr/sbin '' 1 --version 10.11.19",
        (
            _DATASTORE,
            _VERSION,
            arg("manager", help="the folder in trove.datastores, as `postgresql`"),
            arg("image_id", help="what servers are made from; locally a directory of programs"),
            arg("packages", help="separated by commas, or ''"),
            arg("active", choices=("0", "1")),
            arg("--image-tags", default="", metavar="TAGS", help="separated by commas"),
            arg("--version", dest="number", metavar="NUMBER", help="as the engine says it"),
        ),
        update_version,
    ),
)
