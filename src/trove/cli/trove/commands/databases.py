"""The databases of an instance."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from trove.cli.command import Command, arg
from trove.cli.trove.arguments import INSTANCE, LIMIT, MARKER
from trove.cli.trove.context import Context
from trove.cli.trove.request import Request

PATH = "/instances/{instance}/databases"
DATABASE = arg("database", help="name of the database")


def new_database(context: Context, arguments: Namespace) -> Any:
    wanted = {"character_set": arguments.character_set, "collate": arguments.collate}
    given = {name: value for name, value in wanted.items() if value}
    # An empty name is sent too: the service reports what is wrong with it.
    return {"databases": [{"name": arguments.database, **given}]}


COMMANDS = (
    Command(
        "database-create",
        "Create a database on an instance.",
        "trove database-create pg app",
        (
            INSTANCE,
            arg("database", metavar="name", help="name of the new database"),
            arg("--character_set", metavar="CHARSET"),
            arg("--collate", metavar="COLLATION"),
        ),
        Request("POST", PATH, new_database),
    ),
    Command(
        "database-list",
        "List the databases on an instance.",
        "trove database-list pg",
        (INSTANCE, LIMIT, MARKER),
        Request("GET", PATH, key="databases", columns={"Name": "name"}, query=("limit", "marker")),
    ),
    Command(
        "database-delete",
        "Delete a database and all that is in it.",
        "trove database-delete pg app",
        (INSTANCE, DATABASE),
        Request("DELETE", PATH + "/{database}"),
    ),
)
