"""orphans: what is left on the infrastructure of instances that are gone."""

from __future__ import annotations

import sys
from argparse import Namespace

from trove.cli.command import Command, arg
from trove.cli.manage.operator import confirming
from trove.cli.services import check_schema
from trove.cli.services.wiring import build_provider
from trove.cli.table import print_table
from trove.db import Database
from trove.errors import Invalid
from trove.providers.base import Provider
from trove.services.orphans import Orphan, delete_holding, orphans_of
from trove.settings import Settings


def sweep(settings: Settings, args: Namespace) -> None:
    provider = build_provider(settings)
    found = _found(provider, settings)
    if not found:
        print("there are no orphans", file=sys.stderr)
        return
    print_table(("Name", "What", "Project", "Instance"), [_row(each) for each in found])
    if args.delete:
        doomed = found if args.unknown else [each for each in found if each.is_known]
        if doomed and (args.unknown or not args.yes):
            _must_be_sure(len(doomed))
        _delete(provider, doomed)
        _must_be_known([each for each in found if each not in doomed])


def _found(provider: Provider, settings: Settings) -> list[Orphan]:
    check_schema(settings.url)
    database = Database(settings.url, pool_size=1)
    try:
        return orphans_of(provider, database)
    finally:
        database.dispose()


def _row(orphan: Orphan) -> tuple[str, str, str, str]:
    what = orphan.holding
    state = f"deleted {orphan.deleted_at:%Y-%m-%d %H:%M}" if orphan.deleted_at else "unknown"
    return what.name, ", ".join(what.kinds), what.scope.project_id or "", state


def _must_be_sure(number: int) -> None:
    print(f"This deletes these {number}, with all data in them; no instance is to use them.")
    with confirming():
        answer = input("Type `delete` to continue: ")
    if answer != "delete":
        raise Invalid("not confirmed; nothing was changed")


def _delete(provider: Provider, found: list[Orphan]) -> None:
    for each in found:
        delete_holding(provider, each.holding)
        print(f"deleted {each.holding.name}")


def _must_be_known(left: list[Orphan]) -> None:
    """Of the wrong metadata database, every living server would be an orphan; raises Invalid."""
    if left:
        raise Invalid(
            f"{len(left)} left as they are: this metadata database has no record of them, so they "
            "may be instances of another one. Check `[database] connection` and "
            "`state_directory`: they must be those of the task manager. If nothing uses them, "
            "delete them with --delete --unknown"
        )


COMMANDS = (
    Command(
        "orphans",
        "List what the infrastructure has and no instance needs; with --delete, delete it.",
        "trove-manage orphans --delete",
        (
            arg("--delete", action="store_true", help="delete them, after a confirmation"),
            arg("--yes", action="store_true", help="without confirmation"),
            arg(
                "--unknown",
                action="store_true",
                help="also those of which the metadata database has no record; always confirmed",
            ),
        ),
        sweep,
    ),
)
