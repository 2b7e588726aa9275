"""Subcommands of other releases that this one does not serve, with the reason for each."""

from __future__ import annotations

from argparse import REMAINDER, Namespace

from trove.cli.command import Command, arg
from trove.errors import NotSupported
from trove.settings import Settings

PARAMETERS = "There are no configuration groups, so no parameters have rules"
FLAVORS = "Every flavor with enough memory is offered with every datastore version"
VOLUME_TYPES = "Every volume type of the provider is offered with every datastore version"

REASONS = {
    "db_load_datastore_config_parameters": PARAMETERS,
    "db_remove_datastore_config_parameters": PARAMETERS,
    "datastore_version_flavor_add": FLAVORS,
    "datastore_version_flavor_delete": FLAVORS,
    "datastore_version_volume_type_add": VOLUME_TYPES,
    "datastore_version_volume_type_delete": VOLUME_TYPES,
    "datastore_version_volume_type_list": VOLUME_TYPES,
}


def refuse(settings: Settings, args: Namespace) -> None:
    """Raises NotSupported."""
    name = args.command.name
    raise NotSupported(
        f"{name} is not served by this release. {REASONS[name]}; nothing was changed."
    )


COMMANDS = tuple(
    Command(name, reason, f"trove-manage {name}", (arg("words", nargs=REMAINDER),), refuse)
    for name, reason in REASONS.items()
)
