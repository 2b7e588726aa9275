"""What the Trove API defines and this release does not serve: one row for each feature.

`trove help` lists none of it. The subcommands in `lists` still print the empty list that the
service returns, because scripts call them.
"""

from __future__ import annotations

from dataclasses import dataclass

from trove.cli.command import Argument, Command, arg
from trove.cli.trove.arguments import INSTANCE, LIMIT, MARKER
from trove.cli.trove.context import Context
from trove.cli.trove.request import Request
from trove.client.errors import NotServed


@dataclass(frozen=True)
class Feature:
    """A group of subcommands that the service cannot carry out."""

    name: str
    advice: str
    """What to do instead."""
    commands: str
    lists: tuple[Command[Context], ...] = ()


def listing(name: str, path: str, headers: str, *more: Argument) -> Command[Context]:
    """A subcommand that shows a list, which the service returns empty."""
    columns = {header: header.lower().replace(" ", "_") for header in headers.split(", ")}
    of_instance = (INSTANCE,) if "{instance}" in path else ()
    key = path.rpartition("/")[2].replace("-", "_")
    query = ("limit", "marker", *(argument.flags[0].strip("-") for argument in more))
    request = Request("GET", path, key=key, columns=columns, query=query)
    arguments = (*of_instance, LIMIT, MARKER, *more)
    return Command(name, "Print an empty list.", f"trove {name}", arguments, request)


OF_DATASTORE = arg("--datastore", help="only of this engine")
BACKUP_HEADERS = "ID, Instance ID, Name, Status, Parent ID, Size, Updated"
MODULE_HEADERS = "ID, Name, Type, Datastore, Datastore Version, Tenant, Auto Apply"

FEATURES = (
    Feature(
        "backups",
        "Dump the data with the engine's own program, at the address that `trove url INSTANCE` "
        "prints.",
        "backup-create backup-show backup-delete backup-copy",
        (
            listing("backup-list", "/backups", BACKUP_HEADERS, OF_DATASTORE),
            listing("backup-list-instance", "/instances/{instance}/backups", BACKUP_HEADERS),
        ),
    ),
    Feature(
        "schedules",
        "Dump the data from a crontab, at the address that `trove url INSTANCE` prints.",
        "schedule-create schedule-list schedule-show schedule-delete execution-list "
        "execution-delete",
    ),
    Feature(
        "replicas",
        "Create single instances.",
        "detach-replica promote-to-replica-source eject-replica-source",
    ),
    Feature(
        "upgrades",
        "Create an instance of the other version and move the data with a dump.",
        "upgrade",
    ),
    Feature(
        "configurations",
        "An engine's settings follow from the flavor; `trove configuration-default INSTANCE` shows "
        "them.",
        "configuration-create configuration-show configuration-update configuration-patch "
        "configuration-delete configuration-attach configuration-detach configuration-instances "
        "configuration-parameter-list configuration-parameter-show",
        (
            listing(
                "configuration-list",
                "/configurations",
                "ID, Name, Description, Datastore, Datastore Version",
            ),
        ),
    ),
    Feature(
        "clusters",
        "Create single instances.",
        "cluster-create cluster-show cluster-instances cluster-grow cluster-shrink cluster-upgrade "
        "cluster-delete cluster-reset-status cluster-force-delete cluster-modules",
        (
            listing(
                "cluster-list", "/clusters", "ID, Name, Datastore, Datastore Version, Task Name"
            ),
        ),
    ),
    Feature(
        "logs",
        "An operator can read them on the server of the instance.",
        "log-list log-show log-enable log-disable log-publish log-discard log-tail log-save",
    ),
    Feature(
        "modules",
        "There is no replacement.",
        "module-create module-show module-update module-delete module-apply module-remove "
        "module-retrieve module-instances module-instance-count module-reapply",
        (
            listing("module-list", "/modules", MODULE_HEADERS, OF_DATASTORE),
            listing("module-list-instance", "/instances/{instance}/modules", MODULE_HEADERS),
            listing("module-query", "/instances/{instance}/modules", MODULE_HEADERS),
        ),
    ),
    Feature(
        "secgroups",
        "Limit who may connect with `trove update INSTANCE --allowed-cidr CIDR`.",
        "secgroup-show secgroup-list-rules secgroup-add-rule secgroup-delete-rule",
        (listing("secgroup-list", "/security-groups", "ID, Name, Instance ID"),),
    ),
    Feature(
        "metadata",
        "Keep it outside of Trove, by the instance's id.",
        "metadata-show metadata-create metadata-edit metadata-update metadata-delete",
        (
            Command(
                "metadata-list",
                "Print an empty list.",
                "trove metadata-list pg",
                (INSTANCE,),
                Request("GET", "/instances/{instance}/metadata", key="metadata"),
            ),
        ),
    ),
    Feature(
        "certificates",
        "TLS is always on, with certificates of the installation's authority (`trove ca-show`).",
        "ssl-enable ssl-disable ssl-rollback",
    ),
)

FEATURE_OF = {name: feature for feature in FEATURES for name in feature.commands.split()}
LISTS = {command.name: command for feature in FEATURES for command in feature.lists}


def refusal_of(name: str) -> NotServed | None:
    """For a subcommand or the name of a feature; None for any other word."""
    by_name = {feature.name: feature for feature in FEATURES}
    feature = FEATURE_OF.get(name) or by_name.get(name)
    if feature is None:
        return None
    return NotServed(f"'{name}' is not served by this release. {feature.advice}")
