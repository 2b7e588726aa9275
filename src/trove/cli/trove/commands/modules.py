"""Modules: files that are put onto instances."""

from __future__ import annotations

import base64
from argparse import Namespace
from pathlib import Path
from typing import Any

from trove.cli.trove.command import INSTANCE, LIMIT, MARKER, Command, Request, arg
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns
from trove.client.errors import ClientError

MODULE_PATH = "/modules/{module}"
APPLIED = "/instances/{instance}/modules"
COLUMNS: Columns = {
    "ID": "id",
    "Name": "name",
    "Type": "type",
    "Datastore": "datastore",
    "Datastore Version": "datastore_version",
    "Tenant": "tenant",
    "Auto Apply": "auto_apply",
}
FLAGS = ["auto_apply", "all_tenants", "live_update", "priority_apply", "full_access"]
MODULE = arg("module", help="name or id of the module")


def new_module(context: Context, arguments: Namespace) -> Any:
    # The service reads module_type; `type`, which python-troveclient's update sends, is passed by.
    module = {"name": arguments.name, "module_type": arguments.type, **_described(arguments)}
    return {"module": module | {"contents": _contents_of(arguments.file)}}


def changed_module(context: Context, arguments: Namespace) -> Any:
    wanted = {"name": arguments.name, "module_type": arguments.type}
    module = {name: value for name, value in wanted.items() if value} | _described(arguments)
    if arguments.file:
        module["contents"] = _contents_of(arguments.file)
    return {"module": module}


def _described(arguments: Namespace) -> dict[str, Any]:
    # 1 and not true, which the wire refuses.
    described: dict[str, Any] = {name: 1 for name in FLAGS if getattr(arguments, name)}
    wanted = {"type": arguments.datastore, "version": arguments.datastore_version}
    datastore = {name: value for name, value in wanted.items() if value}
    if datastore:
        described["datastore"] = datastore
    if arguments.description is not None:
        described["description"] = arguments.description
    if arguments.hidden:
        described["visible"] = 0
    return described


def _contents_of(place: str) -> str:
    try:
        # Modules may be binary, and JSON has text alone.
        return base64.b64encode(Path(place).read_bytes()).decode()
    except OSError as error:
        raise ClientError(f"{place} can not be read: {error.strerror}.") from None


def applied(context: Context, arguments: Namespace) -> Any:
    return {"modules": [{"id": context.find("modules", name)} for name in arguments.modules]}


def retrieve(context: Context, arguments: Namespace) -> None:
    """Write what the instance has of each module into a file of its own."""
    instance_id = context.find("instances", arguments.instance)
    answer = context.session.get(
        f"/instances/{instance_id}/modules", from_guest="True", include_contents="True"
    )
    target = Path(arguments.directory)
    written = []
    for module in answer["modules"]:
        # The name is somebody else's: it must not lead out of the directory.
        place = target / f"{arguments.prefix}{Path(module['name']).name}.{module['type']}"
        place.write_bytes(base64.b64decode(module["contents"]))
        written.append({"name": module["name"], "file": str(place)})
    context.show_list(written, {"Name": "name", "File": "file"})


def reapply(context: Context, arguments: Namespace) -> Any:
    wanted = {"md5": arguments.md5, "force": 1 if arguments.force else None}
    return {"reapply": {name: value for name, value in wanted.items() if value is not None}}


DESCRIBING = (
    arg("--description", help="a remark"),
    arg("--datastore", help="only for this engine"),
    arg("--datastore_version", metavar="VERSION", help="only for this version"),
    arg("--hidden", action="store_true", help="show it to administrators alone"),
    *(arg(f"--{flag}", action="store_true") for flag in FLAGS),
)

COMMANDS = (
    Command(
        "module-create",
        "Create a module.",
        "trove module-create licence licence.txt --type ping",
        (
            arg("name", help="the name of the new module"),
            arg("file", help="what is in it"),
            arg("--type", required=True, help="which driver puts it onto an instance"),
            *DESCRIBING,
        ),
        Request("POST", "/modules", new_module, "module"),
    ),
    Command(
        "module-list",
        "List the modules.",
        "trove module-list",
        (arg("--datastore", help="only for this engine"),),
        Request("GET", "/modules", key="modules", columns=COLUMNS, query=("datastore",)),
    ),
    Command(
        "module-show",
        "Show a module.",
        "trove module-show licence",
        (MODULE,),
        Request("GET", MODULE_PATH, key="module"),
    ),
    Command(
        "module-update",
        "Change a module.",
        "trove module-update licence --file licence-2.txt",
        (
            MODULE,
            arg("--name", help="the new name"),
            arg("--file", help="what is in it"),
            arg("--type", help="which driver puts it onto an instance"),
            *DESCRIBING,
        ),
        Request("PUT", MODULE_PATH, changed_module, "module"),
    ),
    Command(
        "module-delete",
        "Delete a module.",
        "trove module-delete licence",
        (MODULE,),
        Request("DELETE", MODULE_PATH),
    ),
    Command(
        "module-apply",
        "Put modules onto an instance.",
        "trove module-apply pg licence",
        (INSTANCE, arg("modules", nargs="+", metavar="module")),
        Request("POST", APPLIED, applied, "modules", {"ID": "id", "Name": "name"}),
    ),
    Command(
        "module-remove",
        "Take a module off an instance.",
        "trove module-remove pg licence",
        (INSTANCE, MODULE),
        Request("DELETE", APPLIED + "/{module}"),
    ),
    Command(
        "module-query",
        "List the modules that are on an instance, as the instance itself says.",
        "trove module-query pg",
        (INSTANCE,),
        Request("GET", APPLIED + "?from_guest=True", key="modules", columns=COLUMNS),
    ),
    Command(
        "module-retrieve",
        "Save the modules of an instance into files.",
        "trove module-retrieve pg --directory modules",
        (
            INSTANCE,
            arg("--directory", default=".", metavar="DIR", help="where to (%(default)s)"),
            arg("--prefix", default="", help="begin every file's name with this"),
        ),
        retrieve,
    ),
    Command(
        "module-instances",
        "List the instances that a module is on.",
        "trove module-instances licence",
        (MODULE, LIMIT, MARKER),
        Request(
            "GET",
            MODULE_PATH + "/instances",
            key="instances",
            columns={"ID": "id", "Name": "name"},
            query=("limit", "marker"),
        ),
    ),
    Command(
        "module-list-instance",
        "List the modules of an instance.",
        "trove module-list-instance pg",
        (INSTANCE,),
        Request("GET", APPLIED, key="modules", columns=COLUMNS),
    ),
    Command(
        "module-reapply",
        "Put a module once more onto every instance that has it.",
        "trove module-reapply licence --force",
        (
            MODULE,
            arg("--md5", help="only where it still has this digest"),
            arg("--force", action="store_true", help="even where it is current"),
        ),
        Request("PUT", MODULE_PATH + "/instances", reapply),
    ),
)
