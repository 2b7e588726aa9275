"""Clusters: instances that are created, grown, shrunk and deleted together."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from trove.cli.trove.command import CLUSTER, LIMIT, MARKER, Command, Request, arg
from trove.cli.trove.commands.creation import pairs
from trove.cli.trove.context import Context, Subject
from trove.cli.trove.output import Columns
from trove.client.errors import ClientError

CLUSTER_PATH = "/clusters/{cluster}"
COLUMNS: Columns = {
    "ID": "id",
    "Name": "name",
    "Datastore": "datastore.type",
    "Datastore Version": "datastore.version",
    "Task Name": "task.name",
}
MEMBER_COLUMNS: Columns = {
    "ID": "id",
    "Name": "name",
    "Type": "type",
    "Status": "status",
    "Flavor ID": "flavor.id",
    "Size": "volume.size",
}


def members(context: Context, arguments: Namespace) -> list[dict[str, Any]]:
    return [_member(context, described) for described in arguments.instance]


def _member(context: Context, described: dict[str, str]) -> dict[str, Any]:
    rest = dict(described)
    # Users' scripts have both words.
    flavor = rest.pop("flavor_id", None) or rest.pop("flavor", "")
    member: dict[str, Any] = {"flavorRef": context.find("flavors", flavor)}
    if "volume" in rest:
        member["volume"] = {"size": _gigabytes(rest.pop("volume"))}
        if "volume_type" in rest:
            member["volume"]["type"] = rest.pop("volume_type")
    if "nic" in rest:
        # The key that every server of this wire knows, old or new.
        member["nics"] = [{"net-id": rest.pop("nic")}]
    return member | rest


def _gigabytes(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ClientError(f"--instance: volume={text} should be a number, of GB.") from None


def new_cluster(context: Context, arguments: Namespace) -> Any:
    cluster = {
        "name": arguments.name,
        "datastore": {"type": arguments.datastore, "version": arguments.datastore_version},
        "instances": members(context, arguments),
        "locality": arguments.locality,
    }
    return {"cluster": {name: value for name, value in cluster.items() if value is not None}}


def grown(context: Context, arguments: Namespace) -> Any:
    return {"grow": members(context, arguments)}


def shrunk(context: Context, arguments: Namespace) -> Any:
    return {"shrink": [{"id": context.find("instances", name)} for name in arguments.instance]}


def upgraded(context: Context, arguments: Namespace) -> Any:
    return {"upgrade": {"datastore_version": arguments.datastore_version}}


def list_members(context: Context, arguments: Namespace) -> None:
    cluster_id = context.find("clusters", arguments.cluster)
    cluster = context.session.get(f"/clusters/{cluster_id}")["cluster"]
    context.show_list(cluster["instances"], MEMBER_COLUMNS)


def list_modules(context: Context, arguments: Namespace) -> None:
    """There is no such route: each member is asked."""
    cluster_id = context.find("clusters", arguments.cluster)
    cluster = context.session.get(f"/clusters/{cluster_id}")["cluster"]
    found = []
    for member in cluster["instances"]:
        modules = context.session.get(f"/instances/{member['id']}/modules")["modules"]
        found += [{"instance": member["name"], **module} for module in modules]
    context.show_list(found, {"Instance": "instance", "ID": "id", "Name": "name", "Type": "type"})


def force_delete(context: Context, arguments: Namespace) -> None:
    cluster_id = context.find("clusters", arguments.cluster)
    path = f"/clusters/{cluster_id}"
    # With a hyphen, where the same action of an instance has an underscore.
    context.session.post(path, {"reset-status": {"force_delete": True}})
    context.session.send("DELETE", path)
    context.follow(Subject("clusters", cluster_id, is_deleted=True))


def on_cluster(body: Any) -> Request:
    # A cluster takes its actions itself; it has no /action.
    return Request("POST", CLUSTER_PATH, body, follows=True)


MEMBER = arg(
    "--instance",
    action="append",
    required=True,
    type=pairs,
    metavar="flavor_id=..,volume=..[,type=..,nic=..,availability_zone=..]",
    help="a member (repeatable)",
)
VERSION = arg("datastore_version", help="name or id of the version")

COMMANDS = (
    Command(
        "cluster-create",
        "Create a cluster.",
        "trove cluster-create galera mariadb 10.11 --instance flavor_id=2,volume=1 "
        "--instance flavor_id=2,volume=1 --instance flavor_id=2,volume=1",
        (
            arg("name", help="the name of the new cluster"),
            arg("datastore", help="name or id of the datastore"),
            VERSION,
            MEMBER,
            arg("--locality", metavar="POLICY", help="affinity or anti-affinity"),
        ),
        Request("POST", "/clusters", new_cluster, "cluster", follows=True),
        waits=True,
    ),
    Command(
        "cluster-list",
        "List the clusters of the project.",
        "trove cluster-list",
        (LIMIT, MARKER),
        Request("GET", "/clusters", key="clusters", columns=COLUMNS, query=("limit", "marker")),
    ),
    Command(
        "cluster-show",
        "Show a cluster.",
        "trove cluster-show galera",
        (CLUSTER,),
        Request("GET", CLUSTER_PATH, key="cluster"),
    ),
    Command(
        "cluster-instances",
        "List the members of a cluster.",
        "trove cluster-instances galera",
        (CLUSTER,),
        list_members,
    ),
    Command(
        "cluster-grow",
        "Add members to a cluster.",
        "trove cluster-grow galera --instance flavor_id=2,volume=1 --wait",
        (CLUSTER, MEMBER),
        on_cluster(grown),
        waits=True,
    ),
    Command(
        "cluster-shrink",
        "Take members out of a cluster.",
        "trove cluster-shrink galera galera-member-3 --wait",
        (CLUSTER, arg("instance", nargs="+", help="names or ids of the members")),
        on_cluster(shrunk),
        waits=True,
    ),
    Command(
        "cluster-upgrade",
        "Move a cluster to another version of its datastore.",
        "trove cluster-upgrade galera 11.4 --wait",
        (CLUSTER, VERSION),
        on_cluster(upgraded),
        waits=True,
    ),
    Command(
        "cluster-delete",
        "Delete a cluster and all its data.",
        "trove cluster-delete galera --wait",
        (CLUSTER,),
        Request("DELETE", CLUSTER_PATH, follows=True),
        waits=True,
    ),
    Command(
        "cluster-reset-status",
        "Give up whatever is going on in a cluster (administrators).",
        "trove cluster-reset-status galera",
        (CLUSTER,),
        Request("POST", CLUSTER_PATH, {"reset-status": {}}),
    ),
    Command(
        "cluster-force-delete",
        "Give up whatever is going on and delete the cluster.",
        "trove cluster-force-delete galera",
        (CLUSTER,),
        force_delete,
        waits=True,
    ),
    Command(
        "cluster-modules",
        "List the modules on the members of a cluster.",
        "trove cluster-modules galera",
        (CLUSTER,),
        list_modules,
    ),
)
