"""Database servers: create, show, change, delete."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from trove.cli.command import Command, arg
from trove.cli.trove.arguments import INSTANCE, LIMIT, MARKER, WAITING, unserved
from trove.cli.trove.commands.creation import CREATE_ARGUMENTS, CREATE_EXAMPLES, create
from trove.cli.trove.context import Context, Subject
from trove.cli.trove.output import Columns
from trove.cli.trove.request import Request
from trove.cli.trove.views import instance_lines
from trove.client.errors import ClientError, HttpError
from trove.client.wire import Json

ACTION = "/instances/{instance}/action"
COLUMNS: Columns = {
    "ID": "id",
    "Name": "name",
    "Datastore": "datastore.type",
    "Datastore Version": "datastore.version",
    "Status": "status",
    "Flavor ID": "flavor.id",
    "Size": "volume.size",
}


def list_instances(context: Context, arguments: Namespace) -> None:
    # "True" and "False", like python-troveclient.
    clustered = str(arguments.include_clustered)
    request = Request("GET", "/instances", key="instances", columns=COLUMNS, query=QUERY)
    request(context, Namespace(**{**vars(arguments), "include_clustered": clustered}))


QUERY = ("limit", "marker", "include_clustered", "name")


def action(body: Any) -> Request:
    return Request("POST", ACTION, body=body, follows=True)


def update(context: Context, arguments: Namespace) -> None:
    changes: Json = {}
    if arguments.name is not None:
        changes["name"] = arguments.name
    if arguments.configuration:
        changes["configuration"] = context.find("configurations", arguments.configuration)
    if arguments.remove_configuration:
        changes["configuration"] = None
    if arguments.detach_replica_source:
        changes["replica_of"] = None
    access = access_of(arguments)
    if access:
        changes["access"] = access
    if not changes:
        raise ClientError("There is nothing to change: give at least one option.")
    instance_id = context.find("instances", arguments.instance)
    context.session.send("PUT", f"/instances/{instance_id}", {"instance": changes})
    # A change of only the name starts no operation.
    if set(changes) != {"name"}:
        context.follow(Subject(instance_id))


def access_of(arguments: Namespace) -> Json:
    access: Json = {}
    if arguments.is_public or arguments.is_private:
        access["is_public"] = bool(arguments.is_public)
    if arguments.allowed_cidr:
        access["allowed_cidrs"] = arguments.allowed_cidr
    return access


def delete(context: Context, arguments: Namespace) -> None:
    """One after the other; raises ClientError with what was not deleted, once all were tried."""
    errors = []
    for wanted in arguments.instance:
        try:
            delete_one(context, wanted, forced=arguments.force)
        except ClientError as error:
            errors.append(error)
    # Alone it says which code it was, and more.
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ClientError("\n".join(map(str, errors)))


def force_delete(context: Context, arguments: Namespace) -> None:
    """Abort the running operations, then delete."""
    delete(context, Namespace(**vars(arguments), force=True))


def delete_one(context: Context, wanted: str, *, forced: bool) -> None:
    """By name or id. Only administrators may abort what runs; a deletion supersedes it anyhow."""
    instance_id = context.find("instances", wanted)
    path = f"/instances/{instance_id}"
    if forced:
        _abort(context, path)
    context.session.send("DELETE", path)
    context.follow(Subject(instance_id, is_deleted=True))


def _abort(context: Context, path: str) -> None:
    try:
        context.session.post(f"{path}/action", {"reset_status": {"force_delete": True}})
    except HttpError as error:
        if error.code != 403:
            raise


def resize_flavor(context: Context, arguments: Namespace) -> Any:
    return {"resize": {"flavorRef": context.find("flavors", arguments.flavor)}}


def resize_volume(context: Context, arguments: Namespace) -> Any:
    return {"resize": {"volume": {"size": arguments.size}}}


def show_configuration(context: Context, arguments: Namespace) -> None:
    instance_id = context.find("instances", arguments.instance)
    answer = context.session.get(f"/instances/{instance_id}/configuration")
    context.show_one(answer["instance"]["configuration"])


INSTANCES = arg("instance", nargs="+", help="name or id of each instance")
FLAVOR = arg("flavor", help="name or id of the flavor")
UPDATE_ARGUMENTS = (
    INSTANCE,
    arg("--name", help="the new name"),
    arg("--is-public", action="store_true", help="allow connections from outside"),
    arg("--is-private", action="store_true", help="allow connections only from inside"),
    arg(
        "--allowed-cidr",
        action="append",
        metavar="CIDR",
        help="networks that may connect (repeatable)",
    ),
    unserved("--configuration"),
    unserved("--remove_configuration", action="store_true"),
    unserved("--detach-replica-source", action="store_true"),
)

COMMANDS = (
    Command(
        "list",
        "List the instances of the project.",
        "trove list --limit 20\ntrove list --name orders",
        (
            LIMIT,
            MARKER,
            arg("--name", help="only those of this name"),
            arg("--include-clustered", action="store_true", help="also members of clusters"),
        ),
        list_instances,
    ),
    Command(
        "show",
        "Show an instance.",
        "trove show pg",
        (INSTANCE,),
        Request("GET", "/instances/{instance}", key="instance", flat=instance_lines),
    ),
    Command(
        "create",
        "Create an instance.",
        CREATE_EXAMPLES,
        (*CREATE_ARGUMENTS, *WAITING),
        create,
    ),
    Command(
        "delete",
        "Delete instances and all their data.",
        "trove delete pg --wait\ntrove delete shop orders",
        (
            INSTANCES,
            arg("--force", action="store_true", help="abort a running operation first"),
            *WAITING,
        ),
        delete,
    ),
    Command(
        "restart",
        "Restart the database engine.",
        "trove restart pg --wait",
        (INSTANCE, *WAITING),
        action({"restart": {}}),
    ),
    Command(
        "update",
        "Change the name or the access of an instance.",
        "trove update pg --name orders",
        (*UPDATE_ARGUMENTS, *WAITING),
        update,
    ),
    Command(
        "resize-instance",
        "Change the flavor of an instance.",
        "trove resize-instance pg 3 --wait",
        (INSTANCE, FLAVOR, *WAITING),
        action(resize_flavor),
    ),
    Command(
        "resize-volume",
        "Enlarge the data volume.",
        "trove resize-volume pg 5 --wait",
        (INSTANCE, arg("size", type=int, metavar="GB", help="the new size"), *WAITING),
        action(resize_volume),
    ),
    Command(
        "reset-status",
        "Abort the running operation and derive the status again (administrators).",
        "trove reset-status pg",
        (INSTANCE,),
        Request("POST", ACTION, body={"reset_status": {}}),
    ),
    Command(
        "force-delete",
        "Abort the running operation and delete the instance.",
        "trove force-delete pg --wait",
        (INSTANCES, *WAITING),
        force_delete,
    ),
    Command(
        "configuration-default",
        "Show the configuration that follows from the engine and the flavor.",
        "trove configuration-default pg",
        (INSTANCE,),
        show_configuration,
    ),
)
