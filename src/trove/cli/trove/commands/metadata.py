"""Keys and values that users keep beside an instance."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from trove.cli.trove.command import INSTANCE, Command, Request, arg
from trove.cli.trove.context import Context

PATH = "/instances/{instance}/metadata"
KEY = arg("key", help="the key")
VALUE = arg("value", help="the value")


def new_value(context: Context, arguments: Namespace) -> Any:
    return {"metadata": {"value": arguments.value}}


def renamed(context: Context, arguments: Namespace) -> Any:
    return {"metadata": {"key": arguments.newkey, "value": arguments.value}}


COMMANDS = (
    Command(
        "metadata-list",
        "List what is kept beside an instance.",
        "trove metadata-list pg",
        (INSTANCE,),
        Request("GET", PATH, key="metadata"),
    ),
    Command(
        "metadata-show",
        "Show one value.",
        "trove metadata-show pg owner",
        (INSTANCE, KEY),
        Request("GET", PATH + "/{key}", key="metadata"),
    ),
    Command(
        "metadata-create",
        "Keep a new value.",
        "trove metadata-create pg owner shop",
        (INSTANCE, KEY, VALUE),
        Request("POST", PATH + "/{key}", new_value, "metadata"),
    ),
    Command(
        "metadata-edit",
        "Replace a value.",
        "trove metadata-edit pg owner billing",
        (INSTANCE, KEY, VALUE),
        Request("PATCH", PATH + "/{key}", new_value),
    ),
    Command(
        "metadata-update",
        "Replace a key and its value.",
        "trove metadata-update pg owner team billing",
        (INSTANCE, KEY, arg("newkey", help="the new key"), VALUE),
        Request("PUT", PATH + "/{key}", renamed),
    ),
    Command(
        "metadata-delete",
        "Delete a value.",
        "trove metadata-delete pg owner",
        (INSTANCE, KEY),
        Request("DELETE", PATH + "/{key}"),
    ),
)
