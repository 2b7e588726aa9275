"""The subcommands of `trove`, a module for each area; only the one that is called is imported."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from trove.cli.trove.command import Command

# Here and not only in the modules, or every command would import all of them to find itself.
AREAS: dict[str, str] = {
    "instances": "list show create delete restart update upgrade resize-instance resize-volume "
    "reset-status force-delete detach-replica promote-to-replica-source eject-replica-source",
    "connecting": "connect url ca-show ssl-show ssl-enable ssl-disable ssl-rollback",
    "databases": "database-create database-list database-delete",
    "users": "user-create user-list user-show user-delete user-show-access user-grant-access "
    "user-revoke-access user-update-attributes root-enable root-show root-disable",
    "operations": "operation-list operation-show operation-watch operation-cancel event-list",
    "datastores": "datastore-list datastore-show datastore-version-list datastore-version-show",
    "flavors": "flavor-list flavor-show volume-type-list volume-type-show",
    "limits": "limit-list quota-show quota-update",
    "backups": "backup-create backup-list backup-list-instance backup-show backup-delete "
    "backup-copy",
    "configurations": "configuration-create configuration-list configuration-show "
    "configuration-update configuration-patch configuration-delete configuration-attach "
    "configuration-detach configuration-instances configuration-default "
    "configuration-parameter-list configuration-parameter-show",
    "clusters": "cluster-create cluster-list cluster-show cluster-instances cluster-grow "
    "cluster-shrink cluster-upgrade cluster-delete cluster-reset-status cluster-force-delete "
    "cluster-modules",
    "logs": "log-list log-show log-enable log-disable log-publish log-discard log-tail log-save",
    "modules": "module-create module-list module-show module-update module-delete module-apply "
    "module-remove module-query module-retrieve module-instances module-list-instance "
    "module-reapply",
    "secgroups": "secgroup-list secgroup-show secgroup-list-rules secgroup-add-rule "
    "secgroup-delete-rule",
    "metadata": "metadata-list metadata-show metadata-create metadata-edit metadata-update "
    "metadata-delete",
    "schedules": "schedule-create schedule-list schedule-show schedule-delete execution-list",
}
"""Module -> its subcommands; a test holds this to what the modules define."""

AREA_OF = {name: area for area, names in AREAS.items() for name in names.split()}


def load(name: str) -> Command:
    """The subcommand of this name; raises KeyError."""
    return next(command for command in of_area(AREA_OF[name]) if command.name == name)


def of_area(area: str) -> tuple[Command, ...]:
    module = importlib.import_module(f"trove.cli.trove.commands.{area}")
    commands: tuple[Command, ...] = module.COMMANDS
    return commands


def about(area: str) -> str:
    """What the area is for, in one line."""
    module = importlib.import_module(f"trove.cli.trove.commands.{area}")
    return (module.__doc__ or "").partition("\n")[0]


def all_commands() -> Iterator[tuple[str, tuple[Command, ...]]]:
    """Every area with its commands, for help and completion."""
    for area in AREAS:
        yield area, of_area(area)
