"""Flavors of servers, and types of volumes."""

from __future__ import annotations

from argparse import Namespace

from trove.cli.command import Command, arg
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns
from trove.cli.trove.request import Request
from trove.client.errors import ClientError
from trove.client.find import id_of

COLUMNS: Columns = {
    # An id that is not a number is in str_id, and id is null.
    "ID": id_of,
    "Name": "name",
    "RAM": "ram",
    "vCPUs": "vcpus",
    "Disk": "disk",
    "Ephemeral": "ephemeral",
}


def list_flavors(context: Context, arguments: Namespace) -> None:
    path = "/flavors"
    chosen = [arguments.datastore_type, arguments.datastore_version_id]
    # The API has flavors for a version of a datastore, not for a datastore.
    if any(chosen) and not all(chosen):
        raise ClientError(
            "--datastore-type and --datastore-version-id go together; see "
            "`trove datastore-version-list DATASTORE`."
        )
    if all(chosen):
        path = "/datastores/{datastore_type}/versions/{datastore_version_id}/flavors"
    Request("GET", path, key="flavors", columns=COLUMNS)(context, arguments)


COMMANDS = (
    Command(
        "flavor-list",
        "List the flavors that an instance may have.",
        "trove flavor-list",
        (
            arg("--datastore_type", metavar="DATASTORE", help="only those for this engine,"),
            arg("--datastore_version_id", metavar="VERSION", help="of this version (both or none)"),
        ),
        list_flavors,
    ),
    Command(
        "flavor-show",
        "Show a flavor.",
        "trove flavor-show 2",
        (arg("flavor", help="name or id of the flavor"),),
        Request("GET", "/flavors/{flavor}", key="flavor"),
    ),
    Command(
        "volume-type-list",
        "List the volume types.",
        "trove volume-type-list",
        (),
        Request(
            "GET",
            "/volume-types",
            key="volume_types",
            columns={
                "ID": "id",
                "Name": "name",
                "Public": "is_public",
                "Description": "description",
            },
        ),
    ),
    Command(
        "volume-type-show",
        "Show a volume type.",
        "trove volume-type-show 1",
        (arg("volume_type", help="id of the volume type"),),
        Request("GET", "/volume-types/{volume_type}", key="volume_type"),
    ),
)
