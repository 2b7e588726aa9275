"""Connections to a database: URL, certificates, and the engine's own client."""

from __future__ import annotations

from argparse import Namespace

from trove.cli.command import Command, arg
from trove.cli.trove.arguments import INSTANCE
from trove.cli.trove.commands.users import account_of
from trove.cli.trove.connection import (
    Connection,
    client_of,
    keep_authority,
    replace_process,
    url_of,
)
from trove.cli.trove.context import Context
from trove.client.errors import ClientError, HttpError
from trove.client.session import segment
from trove.client.wire import Json


def authority(context: Context) -> str:
    """The PEM of the installation's certificate authority."""
    answer = context.session.get("/certificate-authority")["certificate_authority"]
    return str(answer["certificate"])


def show_authority(context: Context, arguments: Namespace) -> None:
    if context.output.format in ("json", "yaml"):
        context.show_one(context.session.get("/certificate-authority")["certificate_authority"])
        return
    # Without a table, so that it can be redirected into a file.
    context.print(authority(context).rstrip("\n"))


def connection_of(context: Context, arguments: Namespace) -> Connection:
    """Raises ClientError when the instance has no address yet."""
    subject = context.find("instances", arguments.instance)
    instance = context.session.get(f"/instances/{subject}")["instance"]
    address = instance.get("hostname") or _address_in(instance)
    if not address:
        raise ClientError(
            f"{instance['name']} is {instance['status']} and has no address yet; "
            f"wait for it with `trove operation-watch {subject}`."
        )
    user, database = _who_and_what(context, subject, arguments)
    datastore = instance["datastore"]
    return Connection(
        scheme=datastore.get("url_scheme") or datastore["type"],
        client=datastore.get("client") or "",
        address=address,
        port=instance.get("port"),
        user=user,
        database=database,
        authority=_kept_authority(context, arguments),
    )


def _address_in(instance: Json) -> str:
    addresses = [each["address"] for each in instance.get("addresses") or ()]
    return next(iter(addresses + list(instance.get("ip") or ())), "")


def _who_and_what(context: Context, instance_id: str, arguments: Namespace) -> tuple[str, str]:
    """The user and the database, each empty where there is none."""
    wanted = arguments.user
    # No request is needed; and a superuser, who is not in the list, can be given in this way. Not
    # with an @, which may separate a host.
    if wanted and arguments.database and "@" not in wanted:
        return wanted, arguments.database
    path = f"/instances/{instance_id}/users"
    try:
        users = list(context.session.pages(path, "users"))
    except HttpError as error:
        # An engine without users: everyone who reaches it may use it.
        if error.code != 501:
            raise
        return wanted or "", arguments.database or ""
    user = _named(users, wanted) if wanted else _only(users, arguments.instance)
    if arguments.database:
        return user["name"], arguments.database
    # Not in the list: `_named` built it.
    if user not in users:
        context.say(f"The service knows no user '{wanted}' there; superusers are not listed.")
        return wanted, ""
    granted = context.session.get(f"{path}/{segment(account_of(user))}/databases")["databases"]
    return user["name"], str(granted[0]["name"]) if granted else ""


def _named(users: list[Json], wanted: str) -> Json:
    """By name, or by name and host as in `joe@10.0.0.%`."""
    # Names first: a name may look like the name and host of another user.
    found = [user for user in users if user["name"] == wanted]
    found += [user for user in users if _label_of(user) == wanted]
    return found[0] if found else {"name": wanted}


def _only(users: list[Json], instance: str) -> Json:
    if len(users) == 1:
        return users[0]
    if not users:
        raise ClientError(
            f"{instance} has no users yet; create one with `trove user-create {instance} NAME`, "
            f"or enable the superuser with `trove root-enable {instance}` and choose it with "
            "--user."
        )
    names = [user["name"] for user in users]
    # With the host where the name is not unique.
    labels = sorted(
        _label_of(user) if names.count(user["name"]) > 1 else user["name"] for user in users
    )
    raise ClientError(f"Choose a user with --user NAME; the instance has: {', '.join(labels)}.")


def _label_of(user: Json) -> str:
    return f"{user['name']}@{user.get('host')}"


def _kept_authority(context: Context, arguments: Namespace) -> str:
    """A file with the authority's certificate; empty where the service has none."""
    if arguments.ca:
        return str(arguments.ca)
    try:
        return str(keep_authority(authority(context)))
    except HttpError as error:
        # Other services have no such route: the authorities of the system are used.
        if error.code not in (404, 501):
            raise
        return ""


def connect(context: Context, arguments: Namespace) -> None:
    connection = connection_of(context, arguments)
    replace_process(client_of(connection))


def show_url(context: Context, arguments: Namespace) -> None:
    url = url_of(connection_of(context, arguments))
    if context.output.format in ("json", "yaml"):
        context.show_one({"url": url})
    else:
        context.print(url)


def show_ssl(context: Context, arguments: Namespace) -> None:
    instance_id = context.find("instances", arguments.instance)
    wanted = "True" if arguments.include_certificate else None
    answer = context.session.get(f"/instances/{instance_id}/ssl", include_certificate=wanted)
    context.show_one(answer["ssl"])


HOW = (
    INSTANCE,
    arg("--user", metavar="NAME", help="default: the only user"),
    arg("--database", metavar="NAME", help="default: the first that the user was granted"),
    arg("--ca", metavar="FILE", help="certificate authority; default: that of the installation"),
)

COMMANDS = (
    Command(
        "connect",
        "Open the engine's own client (psql, mariadb, redis-cli) on an instance.\n"
        "The client prompts for the password, unless TROVE_DATABASE_PASSWORD has it.",
        "trove connect pg --user app_user --database app",
        HOW,
        connect,
    ),
    Command(
        "url",
        "Print the URL for a program to connect to, without the password.",
        "trove url pg --user app_user",
        HOW,
        show_url,
    ),
    Command(
        "ca-show",
        "Print the certificate of the authority that signs the instances' certificates.",
        "trove ca-show > trove-ca.pem",
        (),
        show_authority,
    ),
    Command(
        "ssl-show",
        "Show whether and how an instance encrypts its connections.",
        "trove ssl-show pg",
        (INSTANCE, arg("--include-certificate", action="store_true", help="its PEM too")),
        show_ssl,
    ),
)
