"""Database engines and their versions."""

from __future__ import annotations

from argparse import Namespace

from trove.cli.command import Command, arg
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns
from trove.cli.trove.request import Request
from trove.cli.trove.views import datastore_lines, default_mark, default_version_of, version_names
from trove.client.errors import HttpError

COLUMNS: Columns = {
    "ID": "id",
    "Name": "name",
    "Versions": version_names,
    "Default Version": default_version_of,
    "Default": default_mark,
}
VERSION_COLUMNS: Columns = {"ID": "id", "Name": "name", "Version": "version"}
DATASTORE = arg("datastore", help="name or id of the datastore")


def show_version(context: Context, arguments: Namespace) -> None:
    path = "/datastores/{datastore}/versions/{version}"
    if not arguments.datastore:
        path = "/datastores/versions/{version}"
    try:
        Request("GET", path, key="version")(context, arguments)
    except HttpError as error:
        # Older services return 400 for an unknown version.
        if error.code not in (400, 404) or arguments.datastore:
            raise
        more = "A version given by its name needs --datastore NAME too."
        raise HttpError(error.code, f"{error.message} {more}", error.request_id) from None


COMMANDS = (
    Command(
        "datastore-list",
        "List the database engines.",
        "trove datastore-list",
        (),
        Request("GET", "/datastores", key="datastores", columns=COLUMNS),
    ),
    Command(
        "datastore-show",
        "Show an engine and its versions.",
        "trove datastore-show postgresql",
        (DATASTORE,),
        Request("GET", "/datastores/{datastore}", key="datastore", flat=datastore_lines),
    ),
    Command(
        "datastore-version-list",
        "List the versions of an engine.",
        "trove datastore-version-list postgresql",
        (DATASTORE,),
        Request("GET", "/datastores/{datastore}/versions", key="versions", columns=VERSION_COLUMNS),
    ),
    Command(
        "datastore-version-show",
        "Show a version of an engine.",
        "trove datastore-version-show 15 --datastore postgresql",
        (
            arg("version", metavar="datastore_version", help="id, or name along with --datastore"),
            arg("--datastore", help="name or id of the datastore"),
        ),
        show_version,
    ),
)
