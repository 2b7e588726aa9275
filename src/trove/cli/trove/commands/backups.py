"""Backups of instances."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from trove.cli.trove.command import BACKUP, INSTANCE, LIMIT, MARKER, Command, Request, arg
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns

COLUMNS: Columns = {
    "ID": "id",
    "Instance ID": "instance_id",
    "Name": "name",
    "Status": "status",
    "Parent ID": "parent_id",
    "Size": "size",
    "Updated": "updated",
}
NAME = arg("name", help="the name of the new backup")
DESCRIPTION = arg("--description", help="a remark")


def new_backup(context: Context, arguments: Namespace) -> Any:
    backup = {
        "name": arguments.name,
        "instance": context.find("instances", arguments.instance),
        "description": arguments.description,
        "parent_id": context.find("backups", arguments.parent) if arguments.parent else None,
        # The wire has integers for flags here and refuses true.
        "incremental": int(arguments.incremental),
    }
    return {"backup": {name: value for name, value in backup.items() if value is not None}}


def new_copy(context: Context, arguments: Namespace) -> Any:
    source = {"id": context.find("backups", arguments.backup), "region": arguments.region}
    backup = {"name": arguments.name, "description": arguments.description, "backup": source}
    return {"backup": {name: value for name, value in backup.items() if value is not None}}


COMMANDS = (
    Command(
        "backup-create",
        "Back an instance up.",
        "trove backup-create pg before-upgrade --wait",
        (
            INSTANCE,
            NAME,
            DESCRIPTION,
            arg("--parent", metavar="BACKUP", help="only what has changed since this backup"),
            arg("--incremental", action="store_true", help="only what has changed since the last"),
        ),
        Request("POST", "/backups", new_backup, "backup", follows=True),
        waits=True,
    ),
    Command(
        "backup-list",
        "List the backups of the project.",
        "trove backup-list --datastore postgresql",
        (LIMIT, MARKER, arg("--datastore", help="only of this engine")),
        Request(
            "GET",
            "/backups",
            key="backups",
            columns=COLUMNS,
            query=("limit", "marker", "datastore"),
        ),
    ),
    Command(
        "backup-list-instance",
        "List the backups of an instance.",
        "trove backup-list-instance pg",
        (INSTANCE, LIMIT, MARKER),
        Request(
            "GET",
            "/instances/{instance}/backups",
            key="backups",
            columns=COLUMNS,
            query=("limit", "marker"),
        ),
    ),
    Command(
        "backup-show",
        "Show a backup.",
        "trove backup-show before-upgrade",
        (BACKUP,),
        Request("GET", "/backups/{backup}", key="backup"),
    ),
    Command(
        "backup-delete",
        "Delete a backup and what builds on it.",
        "trove backup-delete before-upgrade",
        (BACKUP,),
        Request("DELETE", "/backups/{backup}", follows=True),
        waits=True,
    ),
    Command(
        "backup-copy",
        "Copy a backup, to another region if one is given.",
        "trove backup-copy far-away before-upgrade --region north",
        (NAME, BACKUP, arg("--region", help="where the backup is"), DESCRIPTION),
        Request("POST", "/backups", new_copy, "backup", follows=True),
        waits=True,
    ),
)
