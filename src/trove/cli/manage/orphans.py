"""orphans: what is left on the infrastructure of instances that are gone."""

from __future__ import annotations

import sys
from argparse import Namespace

from trove.cli.command import Command, arg
from trove.cli.manage.operator import confirming
from trove.cli.services.wiring import build_provider
from trove.cli.table import print_table
from trove.db import Database
from trove.errors import Invalid
from trove.providers.base import Provider
from trove.services.orphans import Holding, delete_holding, orphans_of
from trove.settings import Settings


def sweep(settings: Settings, args: Namespace) -> None:
    provider = build_provider(settings)
    found = _found(provider, settings)
    if not found:
        print("there are no orphans", file=sys.stderr)
        return
    print_table(("Name", "What", "Project"), [_row(each) for each in found])
    if args.delete:
        if not args.yes:
            _must_be_sure(len(found))
        _delete(provider, found)


def _found(provider: Provider, settings: Settings) -> list[Holding]:
    database = Database(settings.url, pool_size=1)
    try:
        return orphans_of(provider, database)
    finally:
        database.dispose()


def _row(orphan: Holding) -> tuple[str, str, str]:
    return orphan.name, ", ".join(orphan.kinds), orphan.scope.project_id or ""


def _must_be_sure(number: int) -> None:
    print(f"This deletes these {number}, with all data in them; no instance is to use them.")
    # Of the wrong metadata database, every server would be an orphan.
    with confirming():
        answer = input("Type `delete` to continue: ")
    if answer != "delete":
        raise Invalid("not confirmed; nothing was changed")


def _delete(provider: Provider, found: list[Holding]) -> None:
    for each in found:
        delete_holding(provider, each)
        print(f"deleted {each.name}")


COMMANDS = (
    Command(
        "orphans",
        "List what the infrastructure has and no instance needs; with --delete, delete it.",
        "trove-manage orphans --delete",
        (
            arg("--delete", action="store_true", help="delete them, after a confirmation"),
            arg("--yes", action="store_true", help="without confirmation"),
        ),
        sweep,
    ),
)
