"""Configuration groups: the engine's parameters, kept under a name and attached to instances."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from trove.cli.trove.command import GROUP, INSTANCE, LIMIT, MARKER, Command, Request, arg
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns

GROUP_PATH = "/configurations/{group}"
COLUMNS: Columns = {
    "ID": "id",
    "Name": "name",
    "Description": "description",
    "Datastore": "datastore_name",
    "Datastore Version": "datastore_version_name",
}
PARAMETER_COLUMNS: Columns = {
    "Name": "name",
    "Type": "type",
    "Min": "min",
    "Max": "max",
    "Restart Required": "restart_required",
}


def json_object(text: str) -> dict[str, Any]:
    """An object, `@FILE` with one, or `-` for the input; for argparse."""
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        values = json.loads(text)
    except (OSError, ValueError) as error:
        raise ArgumentTypeError(f"not a JSON object: {error}") from None
    if not isinstance(values, dict):
        raise ArgumentTypeError("not a JSON object")
    return values


def new_group(context: Context, arguments: Namespace) -> Any:
    wanted = {"type": arguments.datastore, "version": arguments.datastore_version}
    datastore = {name: value for name, value in wanted.items() if value}
    group = {
        "name": arguments.name,
        "values": arguments.values,
        "description": arguments.description,
        "datastore": datastore or None,
    }
    return {"configuration": {name: value for name, value in group.items() if value is not None}}


def changed_group(context: Context, arguments: Namespace) -> Any:
    names = ("values", "name", "description")
    # configuration-patch has no name and no description.
    given = {name: getattr(arguments, name, None) for name in names}
    return {"configuration": {name: value for name, value in given.items() if value is not None}}


def attached(context: Context, arguments: Namespace) -> Any:
    return {"instance": {"configuration": context.find("configurations", arguments.group)}}


def show_default(context: Context, arguments: Namespace) -> None:
    instance_id = context.find("instances", arguments.instance)
    answer = context.session.get(f"/instances/{instance_id}/configuration")
    context.show_one(answer["instance"]["configuration"])


def parameters_path(arguments: Namespace) -> str:
    if arguments.datastore:
        return "/datastores/{datastore}/versions/{version}/parameters"
    # Without a datastore only an id tells which version is meant.
    return "/datastores/versions/{version}/parameters"


def list_parameters(context: Context, arguments: Namespace) -> None:
    request = Request(
        "GET",
        parameters_path(arguments),
        key="configuration-parameters",
        columns=PARAMETER_COLUMNS,
    )
    request(context, arguments)


def show_parameter(context: Context, arguments: Namespace) -> None:
    """The answer is the bare parameter, without an envelope."""
    request = Request("GET", parameters_path(arguments) + "/{parameter}")
    context.show_one(context.session.get(request.path_of(context, arguments)))


VALUES = arg("values", type=json_object, help="a JSON object, @FILE, or - for the input")
DATASTORE = arg("--datastore", help="name or id of the datastore")
VERSION = arg("version", metavar="datastore_version", help="id, or name along with --datastore")
DESCRIPTION = arg("--description", help="a remark")

COMMANDS = (
    Command(
        "configuration-create",
        "Create a configuration group.",
        """trove configuration-create busy '{"max_connections": 500}' --datastore mariadb""",
        (
            arg("name", help="the name of the new group"),
            VALUES,
            DATASTORE,
            arg("--datastore_version", metavar="VERSION", help="name or id of its version"),
            DESCRIPTION,
        ),
        Request("POST", "/configurations", new_group, "configuration"),
    ),
    Command(
        "configuration-list",
        "List the configuration groups.",
        "trove configuration-list",
        (LIMIT, MARKER),
        Request(
            "GET",
            "/configurations",
            key="configurations",
            columns=COLUMNS,
            query=("limit", "marker"),
        ),
    ),
    Command(
        "configuration-show",
        "Show a configuration group.",
        "trove configuration-show busy",
        (GROUP,),
        Request("GET", GROUP_PATH, key="configuration"),
    ),
    Command(
        "configuration-update",
        "Replace all values of a configuration group.",
        """trove configuration-update busy '{"max_connections": 900}'""",
        (GROUP, VALUES, arg("--name", help="the new name"), DESCRIPTION),
        Request("PUT", GROUP_PATH, changed_group),
    ),
    Command(
        "configuration-patch",
        "Change some values of a configuration group.",
        """trove configuration-patch busy '{"wait_timeout": 60}'""",
        (GROUP, VALUES),
        Request("PATCH", GROUP_PATH, changed_group),
    ),
    Command(
        "configuration-delete",
        "Delete a configuration group that is attached nowhere.",
        "trove configuration-delete busy",
        (GROUP,),
        Request("DELETE", GROUP_PATH),
    ),
    Command(
        "configuration-attach",
        "Attach a configuration group to an instance.",
        "trove configuration-attach pg busy --wait",
        (INSTANCE, GROUP),
        Request("PUT", "/instances/{instance}", attached, follows=True),
        waits=True,
    ),
    Command(
        "configuration-detach",
        "Detach the configuration group of an instance.",
        "trove configuration-detach pg --wait",
        (INSTANCE,),
        Request(
            "PUT", "/instances/{instance}", {"instance": {"configuration": None}}, follows=True
        ),
        waits=True,
    ),
    Command(
        "configuration-instances",
        "List the instances that a configuration group is attached to.",
        "trove configuration-instances busy",
        (GROUP, LIMIT, MARKER),
        Request(
            "GET",
            GROUP_PATH + "/instances",
            key="instances",
            columns={"ID": "id", "Name": "name"},
            query=("limit", "marker"),
        ),
    ),
    Command(
        "configuration-default",
        "Show the configuration that an instance has from its engine and flavor.",
        "trove configuration-default pg",
        (INSTANCE,),
        show_default,
    ),
    Command(
        "configuration-parameter-list",
        "List the parameters that may be set.",
        "trove configuration-parameter-list 15 --datastore postgresql",
        (VERSION, DATASTORE),
        list_parameters,
    ),
    Command(
        "configuration-parameter-show",
        "Show a parameter that may be set.",
        "trove configuration-parameter-show 15 work_mem --datastore postgresql",
        (VERSION, arg("parameter", help="name of the parameter"), DATASTORE),
        show_parameter,
    ),
)
