"""db_sync, db_upgrade and db_recreate."""

from __future__ import annotations

from argparse import Namespace

from sqlalchemy import MetaData

from trove import migrations
from trove.cli.command import Command, arg
from trove.cli.manage.operator import confirming
from trove.db import Database
from trove.errors import Invalid
from trove.settings import Settings


def sync(settings: Settings, _: Namespace) -> None:
    before = migrations.current(settings.url) or "nothing"
    after = migrations.upgrade(settings.url)
    print(f"at {after} already" if before == after else f"from {before} to {after}")


def recreate(settings: Settings, args: Namespace) -> None:
    """Drop every table, those of other releases too."""
    if not args.yes:
        _must_be_sure()
    database = Database(settings.url, pool_size=1)
    try:
        with database.engine.begin() as connection:
            found = MetaData()
            # Our models lack tables of later releases, whose foreign keys would block the drop.
            found.reflect(connection)
            found.drop_all(connection)
    finally:
        database.dispose()
    print(f"dropped {len(found.tables)} tables; now at {migrations.upgrade(settings.url)}")


def _must_be_sure() -> None:
    print("This removes every instance, user and project; running servers are left behind.")
    # A word instead of y, which is easily typed by habit.
    with confirming():
        answer = input("Type `recreate` to continue: ")
    if answer != "recreate":
        raise Invalid("not confirmed; nothing was changed")


COMMANDS = (
    Command(
        "db_sync",
        "Bring the metadata database up to this release; safe to repeat.",
        "trove-manage --config-file /etc/trove/trove.conf db_sync",
        (),
        sync,
    ),
    Command("db_upgrade", "The same as db_sync.", "trove-manage db_upgrade", (), sync),
    Command(
        "db_recreate",
        "Drop every table of the metadata database and create them again.",
        "trove-manage db_recreate --yes",
        (arg("--yes", action="store_true", help="without confirmation"),),
        recreate,
    ),
)
