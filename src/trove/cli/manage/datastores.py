"""The datastores and versions that tenants may use."""

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


def discover(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        found = installed_engines(args.path)
        with installation.database.begin() as session:
            rows = [
                (version.datastore.name, version.name, version.number, version.image)
                for version in register(session, found)
            ]
    if not rows:
        raise NotFound("no engine was found; install one, or name its directory with --path")
    print_table(("Datastore", "Version", "Number", "Programs"), rows)


def update(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        datastore = _ensure_datastore(installation.database, args.datastore)
        # Scripts pass '' to only create the datastore.
        if args.default_version:
            version = datastores.version_of(
                installation, OPERATOR, datastore.id, args.default_version
            )
            _change(installation, version, VersionChange(default=True))
    print(f"datastore {args.datastore} updated, default {args.default_version or 'unchanged'}")


def update_version(settings: Settings, args: Namespace) -> None:
    tags, packages = _words(args.image_tags), _words(args.packages)
    with opened(settings) as installation:
        version = _version(installation.database, args)
        if version is not None:
            change = VersionChange(
                manager=args.manager,
                image=args.image_id or None,
                # None keeps the tags; an empty list would remove them.
                image_tags=tags or None,
                packages=packages,
                active=args.active == "1",
            )
            _change(installation, version, change)
        else:
            order = VersionOrder(
                name=args.version,
                datastore_name=args.datastore,
                manager=args.manager,
                image=args.image_id or None,
                image_tags=tags,
                packages=packages,
                active=args.active == "1",
                number=args.number,
            )
            datastores.create_version(installation, OPERATOR, order)
    print(f"datastore version {args.datastore} {args.version} {'changed' if version else 'made'}")


def _ensure_datastore(database: Database, name: str) -> Datastore:
    with database.begin() as session:
        return datastores.ensure_datastore(session, name)


def _version(database: Database, args: Namespace) -> DatastoreVersion | None:
    """By name; of several with one name, that with the number."""
    query = (
        select(DatastoreVersion)
        .join(Datastore)
        .where(Datastore.name == args.datastore, DatastoreVersion.name == args.version)
        .where(DatastoreVersion.deleted_at.is_(None))
    )
    if args.number:
        # Versions with the same name differ in their number.
        query = query.where(DatastoreVersion.number == args.number)
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
        "Create a datastore, or choose its default version.",
        "trove-manage datastore_update postgresql 15",
        (
            arg("datastore", metavar="datastore_name"),
            arg("default_version", help="name, number or id; '' keeps it"),
        ),
        update,
    ),
    Command(
        "datastore_version_update",
        "Create or change a datastore version.",
        "trove-manage datastore_version_update db 10.11 mariadb /usr/sbin '' 1 --version 10.11.19",
        (
            _DATASTORE,
            _VERSION,
            arg("manager", help="the folder in trove.datastores, as `postgresql`"),
            arg("image_id", help="the image of servers; locally a directory of programs"),
            arg("packages", help="separated by commas, or ''"),
            arg("active", choices=("0", "1")),
            arg("--image-tags", default="", metavar="TAGS", help="separated by commas"),
            arg("--version", dest="number", metavar="NUMBER", help="as the engine reports it"),
        ),
        update_version,
    ),
)
