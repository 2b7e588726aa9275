"""The subcommands of `trove`, a module for each area; only the one that is called is imported."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from trove.cli.command import Command
from trove.cli.trove.context import Context

# A table, because without it every command would have to import all modules.
AREAS: dict[str, str] = {
    "instances": "list show create delete restart update resize-instance resize-volume "
    "reset-status force-delete configuration-default",
    "connecting": "connect url ca-show ssl-show",
    "databases": "database-create database-list database-delete",
    "users": "user-create user-list user-show user-delete user-show-access user-grant-access "
    "user-revoke-access user-update-attributes root-enable root-show root-disable",
    "operations": "operation-list operation-show operation-watch operation-cancel event-list",
    "datastores": "datastore-list datastore-show datastore-version-list datastore-version-show",
    "flavors": "flavor-list flavor-show volume-type-list volume-type-show",
    "limits": "limit-list quota-show quota-update",
}
"""Module -> its subcommands; a test compares it with the modules."""

AREA_OF = {name: area for area, names in AREAS.items() for name in names.split()}


def load(name: str) -> Command[Context]:
    """The subcommand of this name; raises KeyError."""
    return next(command for command in of_area(AREA_OF[name]) if command.name == name)


def of_area(area: str) -> tuple[Command[Context], ...]:
    module = importlib.import_module(f"trove.cli.trove.commands.{area}")
    commands: tuple[Command[Context], ...] = module.COMMANDS
    return commands


def about(area: str) -> str:
    """The purpose of an area, in one line."""
    module = importlib.import_module(f"trove.cli.trove.commands.{area}")
    return (module.__doc__ or "").partition("\n")[0]


def all_commands() -> Iterator[tuple[str, tuple[Command[Context], ...]]]:
    """Every area with its commands, for help and completion."""
    for area in AREAS:
        yield area, of_area(area)
