"""The arguments of `trove create` and the body of its request."""

from __future__ import annotations

import shlex
from argparse import ArgumentTypeError, Namespace

from trove.cli.command import Argument, arg
from trove.cli.trove.arguments import SEVERAL, unserved
from trove.cli.trove.context import Context
from trove.cli.trove.request import Request
from trove.cli.trove.views import instance_lines
from trove.client.errors import ClientError
from trove.client.wire import Json

NIC_KEYS = ("net-id", "network_id", "subnet_id", "ip_address", "v4-fixed-ip", "v6-fixed-ip")
# Users write hyphens as in net-id; the API has underscores in these two.
SPELLINGS = {"subnet-id": "subnet_id", "ip-address": "ip_address"}


def pairs(text: str) -> dict[str, str]:
    """`a=1,b=2`; for argparse."""
    parts = [part.partition("=") for part in text.split(",")]
    if not all(name and equals and value for name, equals, value in parts):
        raise ArgumentTypeError(f"'{text}' should be key=value,key=value")
    # Other keys are sent unchanged: the service rejects those that it does not know.
    return {SPELLINGS.get(name, name): value for name, _, value in parts}


def create(context: Context, arguments: Namespace) -> None:
    body = {"instance": instance_of(context, arguments)}
    Request("POST", "/instances", body, "instance", flat=instance_lines, follows=True)(
        context, arguments
    )
    # Only after the wait: before, a connection would fail.
    if context.waits and arguments.users:
        user = arguments.users[0].partition(":")[0]
        words = ["trove", "connect", _shortest(context, arguments.name), "--user", user]
        context.say(f"Connect with: {shlex.join(words)}")


def _shortest(context: Context, name: str) -> str:
    """The name of the new instance where it is unique; otherwise its id."""
    try:
        meant = context.find("instances", name)
    # Several may have the name; and an error must not hide that the instance exists.
    except ClientError:
        meant = ""
    return name if meant == context.followed else context.followed


def instance_of(context: Context, arguments: Namespace) -> Json:
    """The instance in the body, without what was not given."""
    wanted = {
        "name": arguments.name,
        **_placed(arguments),
        **_found(context, arguments),
        "volume": _volume(arguments),
        "datastore": _datastore(arguments),
        "databases": [{"name": name} for name in arguments.databases],
        "users": [_user(context, text, arguments.databases) for text in arguments.users],
        "access": _access(arguments),
    }
    # Absent instead of null: older servers reject null for an object.
    return {name: value for name, value in wanted.items() if value not in (None, [], {})}


def _placed(arguments: Namespace) -> Json:
    return {
        "availability_zone": arguments.availability_zone,
        "nics": arguments.nic,
        "replica_count": arguments.replica_count,
        "locality": arguments.locality,
        "region_name": arguments.region,
    }


def _found(context: Context, arguments: Namespace) -> Json:
    """References by name or id, as ids."""

    def found(collection: str, wanted: str | None) -> str | None:
        return context.find(collection, wanted) if wanted else None

    backup = found("backups", arguments.backup)
    return {
        "flavorRef": found("flavors", arguments.flavor),
        "restorePoint": {"backupRef": backup} if backup else None,
        "configuration": found("configurations", arguments.configuration),
        "replica_of": found("instances", arguments.replica_of),
        "modules": [{"id": context.find("modules", name)} for name in arguments.module],
    }


def _volume(arguments: Namespace) -> Json | None:
    if arguments.size is None:
        return None
    volume = {"size": arguments.size}
    return volume | ({"type": arguments.volume_type} if arguments.volume_type else {})


def _datastore(arguments: Namespace) -> dict[str, str]:
    datastore = {"type": arguments.datastore, "version": arguments.datastore_version}
    return {name: value for name, value in datastore.items() if value}


def _user(context: Context, text: str, databases: list[str]) -> Json:
    """`name:password`; without a password, or with `-`, it is read from a prompt or the input."""
    name, _, password = text.partition(":")
    # Scripts of the older command have the password on the command line.
    secret = context.secret(password or None, f"Password of {name}")
    return {"name": name, "password": secret, "databases": [{"name": name} for name in databases]}


def _access(arguments: Namespace) -> Json:
    access: Json = {"is_public": True} if arguments.is_public else {}
    return access | ({"allowed_cidrs": arguments.allowed_cidr} if arguments.allowed_cidr else {})


CREATE_EXAMPLES = """\
# PostgreSQL: a database, and a user of it whose password is read from a prompt
trove create pg db.small --size 1 --datastore postgresql --databases app --users joe --wait
trove connect pg --user joe

# MariaDB of a chosen version: two databases, two users, each password a line of a file
trove create shop db.medium --size 5 --datastore mariadb --datastore-version 10.11 \\
    --databases orders stock --users clerk reader --wait < passwords
trove url shop --user clerk

# the choices
trove datastore-list
trove flavor-list"""

CREATE_ARGUMENTS: tuple[Argument, ...] = (
    arg("name", help="the name of the new instance"),
    arg(
        "flavor",
        nargs="?",
        help="name or id of the flavor, see `trove flavor-list`",
    ),
    arg("--size", type=int, metavar="GB", help="size of the data volume"),
    arg("--volume_type", metavar="TYPE", help="kind of volume"),
    arg(
        "--databases",
        **SEVERAL,
        metavar="DB",
        help="initial databases; all users may use all of them (repeatable)",
    ),
    arg(
        "--users",
        **SEVERAL,
        metavar="USER[:PASSWORD]",
        help="initial users; a missing password or `-` is read from a prompt or input (repeatable)",
    ),
    arg("--availability_zone", metavar="ZONE", help="the zone to create it in"),
    arg("--datastore", help="name or id of the engine, see `trove datastore-list`"),
    arg(
        "--datastore_version",
        metavar="VERSION",
        help="version of the engine; its default unless given",
    ),
    arg(
        "--nic",
        action="append",
        default=[],
        type=pairs,
        metavar="KEY=VALUE,..",
        help=f"a network to join: {', '.join(NIC_KEYS)}, port-id (repeatable)",
    ),
    arg("--region", help="the region to create it in"),
    arg("--is-public", action="store_true", help="allow connections from outside"),
    arg(
        "--allowed-cidr",
        action="append",
        metavar="CIDR",
        help="networks that may connect (repeatable)",
    ),
    unserved("--backup"),
    unserved("--configuration"),
    unserved("--replica_of"),
    unserved("--replica_count", type=int),
    unserved("--module", action="append", default=[]),
    unserved("--locality"),
)
