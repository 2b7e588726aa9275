"""The users of an instance, their databases, and the superuser."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from trove.cli.command import Command, arg
from trove.cli.trove.arguments import INSTANCE, LIMIT, MARKER, SEVERAL
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns, Item
from trove.cli.trove.request import Request
from trove.client.errors import ClientError

USERS = "/instances/{instance}/users"
USER = USERS + "/{account}"
ROOT = "/instances/{instance}/root"
NAME = arg("name", help="name of the user")
# %% because argparse expands % in a help text.
HOST = arg(
    "--host", help="the hosts that the user may connect from, such as 10.0.0.%% (MariaDB, MySQL)"
)
COLUMNS: Columns = {"Name": "name", "Host": "host", "Databases": "databases"}


def on_account(request: Request) -> Any:
    """A request with `{account}` in its path: a user, with a host if one is given."""

    def run(context: Context, arguments: Namespace) -> None:
        account = account_of({"name": arguments.name, "host": arguments.host})
        request(context, Namespace(**{**vars(arguments), "account": account}))

    return run


def account_of(user: Item) -> str:
    """A user as in a path: with the host, unless that is any."""
    name, host = str(user["name"]), user.get("host") or "%"
    # Without a host it is %. But the part after the last @ of a name would be read as a host, which
    # would be another user.
    return name if host == "%" and "@" not in name else f"{name}@{host}"


def list_users(context: Context, arguments: Namespace) -> None:
    """Without hosts where the engine has none: its users come from anywhere."""
    subject = context.find("instances", arguments.instance)
    datastore = context.session.get(f"/instances/{subject}")["instance"]["datastore"]
    # Other services do not say it; theirs have hosts.
    has_hosts = datastore.get("user_hosts", True)
    columns = {title: key for title, key in COLUMNS.items() if has_hosts or key != "host"}
    request = Request("GET", USERS, key="users", columns=columns, query=("limit", "marker"))
    request(context, Namespace(**{**vars(arguments), "instance": subject}))


def named(names: list[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def new_user(context: Context, arguments: Namespace) -> Any:
    user = {
        "name": arguments.name,
        "password": context.secret(arguments.password, f"Password of {arguments.name}"),
        "databases": named(arguments.databases),
    }
    return {"users": [user | ({"host": arguments.host} if arguments.host else {})]}


def granted(context: Context, arguments: Namespace) -> Any:
    return {"databases": named(arguments.databases)}


def new_attributes(context: Context, arguments: Namespace) -> Any:
    wanted = {"name": arguments.new_name, "host": arguments.new_host}
    changes = {name: value for name, value in wanted.items() if value}
    if arguments.new_password is not None:
        changes["password"] = context.secret(arguments.new_password, "New password")
    if not changes:
        raise ClientError(
            "There is nothing to change: give --new_name, --new_password or --new_host."
        )
    return {"user": changes}


def enable_root(context: Context, arguments: Namespace) -> None:
    """A generated password is shown; one that the user chose is not."""
    instance_id = context.find("instances", arguments.instance)
    given = arguments.root_password
    body = {} if given is None else {"password": context.secret(given, "Password of root")}
    user = context.session.post(f"/instances/{instance_id}/root", body)["user"]
    # A password from the user must not stay on the terminal.
    shown = user if given is None else {"name": user["name"]}
    context.show_one(shown)


def show_root(context: Context, arguments: Namespace) -> None:
    instance_id = context.find("instances", arguments.instance)
    answer = context.session.get(f"/instances/{instance_id}/root")
    context.show_one(answer, {"is_root_enabled": answer["rootEnabled"]})


COMMANDS = (
    Command(
        "user-create",
        "Create a user on an instance.",
        "trove user-create pg app_user --databases app",
        (
            INSTANCE,
            NAME,
            arg(
                "password",
                nargs="?",
                help="without it or with `-`, it is read from a prompt or the input",
            ),
            HOST,
            arg(
                "--databases",
                **SEVERAL,
                metavar="DB",
                help="databases that the user may use (repeatable)",
            ),
        ),
        Request("POST", USERS, new_user),
    ),
    Command(
        "user-list",
        "List the users on an instance.",
        "trove user-list pg",
        (INSTANCE, LIMIT, MARKER),
        list_users,
    ),
    Command(
        "user-show",
        "Show a user.",
        "trove user-show pg app_user",
        (INSTANCE, NAME, HOST),
        on_account(Request("GET", USER, key="user")),
    ),
    Command(
        "user-delete",
        "Delete a user.",
        "trove user-delete pg app_user",
        (INSTANCE, NAME, HOST),
        on_account(Request("DELETE", USER)),
    ),
    Command(
        "user-show-access",
        "List the databases that a user may use.",
        "trove user-show-access pg app_user",
        (INSTANCE, NAME, HOST),
        on_account(Request("GET", USER + "/databases", key="databases", columns={"Name": "name"})),
    ),
    Command(
        "user-grant-access",
        "Grant a user access to databases.",
        "trove user-grant-access pg app_user app reports",
        (INSTANCE, NAME, arg("databases", nargs="+", metavar="database"), HOST),
        on_account(Request("PUT", USER + "/databases", granted)),
    ),
    Command(
        "user-revoke-access",
        "Revoke the access of a user to a database.",
        "trove user-revoke-access pg app_user reports",
        (INSTANCE, NAME, arg("database"), HOST),
        on_account(Request("DELETE", USER + "/databases/{database}")),
    ),
    Command(
        "user-update-attributes",
        "Change the name, password or host of a user.",
        "trove user-update-attributes pg app_user --new_password -",
        (
            INSTANCE,
            NAME,
            HOST,
            arg("--new_name", metavar="NAME"),
            arg(
                "--new_password", metavar="PASSWORD", help="`-` reads it from a prompt or the input"
            ),
            arg("--new_host", metavar="HOST"),
        ),
        on_account(Request("PUT", USER, new_attributes)),
    ),
    Command(
        "root-enable",
        "Enable the superuser, or give it a new password.",
        "trove root-enable pg",
        (
            INSTANCE,
            arg(
                "--root_password",
                metavar="PASSWORD",
                help="`-` reads it from a prompt or the input; generated and shown unless given",
            ),
        ),
        enable_root,
    ),
    Command(
        "root-show",
        "Show whether the superuser is enabled.",
        "trove root-show pg",
        (INSTANCE,),
        show_root,
    ),
    Command(
        "root-disable",
        "Disable the superuser.",
        "trove root-disable pg",
        (INSTANCE,),
        Request("DELETE", ROOT),
    ),
)
